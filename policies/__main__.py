"""The policy pack that the Pulumi engine starts: `pulumi preview --policy-pack policies`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import PolicyPack

from policies.adapter import as_policy
from policies.registry import RULES

PolicyPack(name="llm-serving", policies=[as_policy(rule) for rule in RULES])
