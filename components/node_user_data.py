"""User data of managed nodes, which EKS merges with its own. Pure."""

import base64

from components import efa
from components.infrastructure import NodeGroup
from components.resolved_kserve import LOCAL_MODELS_FOLDER

# KServe's agent and its Jobs write there without root, and volumes of the node's own disk get no fsGroup.
_LOCAL_MODELS = f"""Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
install -d -m 0777 {LOCAL_MODELS_FOLDER}
"""


def user_data(nodes: NodeGroup) -> str | None:
    """A MIME archive in base64, run before the kubelet starts; None where there is nothing to do, or the image does it by itself
    (awslabs/amazon-eks-ami 81fec2e: nodeadm-run.service comes after cloud-init; read 2026-11-22)."""
    if nodes.eks is None or not nodes.eks.ami_type.startswith("AL2023_"):
        return None
    parts = [*(efa.USER_DATA if nodes.efa_interfaces else ()), *([_LOCAL_MODELS] if nodes.caches_models else [])]
    if not parts:
        return None
    head = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="//"\n'
    text = "".join(["", head, *(f"\n--//\n{part}" for part in parts), "\n--//--\n"])
    return base64.b64encode(text.encode()).decode()
