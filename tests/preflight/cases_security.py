"""SEC: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case

# Not a token: the form is all that counts.
TOKEN = "hf_" + "aB3" * 12


def chat(**keys: Any) -> dict[str, Any]:
    return {"workloads": {"chat": keys}}


def engine(**keys: Any) -> dict[str, Any]:
    return chat(engine=keys)


CASES = [
    Case(
        code="SEC001",
        breaks={"huggingFaceToken": None},
        says=("meta-llama/Llama-3.1-8B-Instruct is gated", "401"),
        remedy="huggingFaceToken: {secretName: hf-token",
    ),
    # Nothing is downloaded into a claim that exists.
    Case(
        code="SEC001",
        breaks={"huggingFaceToken": None, "volumes": {"weights": None}, "models": {"llama": {"volume": None}}},
        passes={
            "huggingFaceToken": None,
            "volumes": {
                "weights": {
                    "storage": "existingClaim",
                    "claimName": "w",
                    "accessMode": "ReadWriteMany",
                    "size": None,
                    "fileSystemId": None,
                }
            },
        },
    ),
    Case(
        code="SEC002",
        breaks=engine(image="registry.example.com/vllm:latest"),
        says=("registry.example.com/vllm:latest moves",),
        remedy="imageDigest",
        passes=engine(image="registry.example.com/vllm:latest", imageDigest="sha256:" + "0" * 64),
    ),
    Case(
        code="SEC002",
        breaks=engine(image="vllm/vllm-openai:cu129-nightly"),
        passes=engine(image="vllm/vllm-openai:nightly-0123456789abcdef0123456789abcdef01234567"),
    ),
    Case(
        code="SEC002",
        breaks={"platform": {"modelDownloadImage": "localhost:5000/python"}},
        says=("localhost:5000/python moves (tag latest)",),
        passes={"platform": {"modelDownloadImage": "localhost:5000/python:3.12"}},
    ),
    Case(code="SEC003", breaks={"models": {"llama": {"revision": "main"}}}, says=("main",), remedy="pin a commit"),
    Case(code="SEC004", breaks=engine(trustRemoteCode=True), says=("runs in the pod",), remedy="trustRemoteCode"),
    Case(
        code="SEC004",
        breaks={"models": {"llama": {"revision": "main"}}, **engine(extraArgs=["--trust-remote-code"])},
        says=("revision main, which is no commit",),
        remedy="set models.llama.revision",
        passes=engine(trustRemoteCode=False),
    ),
    Case(
        code="SEC005",
        breaks=chat(env={"HF_TOKEN": TOKEN}),
        says=("its value isn't shown",),
        remedy="huggingFaceToken",
        passes=chat(env={"TOKENIZERS_PARALLELISM": "false", "HF_ENDPOINT": "https://hub.example.com"}),
    ),
    Case(
        code="SEC005",
        breaks=engine(extraArgs=[f"--api-key={TOKEN}"]),
        passes=engine(extraArgs=["--tool-call-parser=hermes"]),
    ),
    Case(
        code="SEC006",
        breaks=chat(allowFrom=[{"namespace": "gateway"}, {"cidr": "0.0.0.0/0"}]),
        says=("0.0.0.0/0", "everybody"),
        remedy="load balancer",
        passes=chat(allowFrom=[{"cidr": "10.0.0.0/8"}, {"cidr": "203.0.112.0/20"}, {"namespace": "gateway"}]),
    ),
    Case(code="SEC006", breaks=chat(allowFrom=[{"cidr": "::/0"}]), passes=chat(allowFrom=[{"cidr": "fd00::/8"}])),
    Case(
        code="SEC006",
        breaks=chat(allowFrom=[{"cidr": "54.0.0.0/8"}]),
        says=("16,777,216 public addresses",),
        passes=chat(allowFrom=[]),
    ),
    Case(
        code="SEC007",
        breaks=engine(version="0.29.0"),
        says=("as of 2026-11-22", "CVE-2026-114053", "and 7 more"),
        remedy="set workloads.chat.engine.version: 0.33.0",
        passes=engine(version="0.32.0"),
    ),
    Case(
        code="SEC007",
        breaks={"workloads": {"chat": {"engine": {"name": "sglang", "version": "0.5.23", "maxModelLen": None}}}},
        says=("sglang", "weren't looked up"),
        remedy="allow SEC007",
        passes=engine(version="0.32.0"),
    ),
    Case(
        code="SEC008",
        breaks=engine(extraArgs=["--api-key", "abc"]),
        says=("--api-key", "command line"),
        remedy="gateway",
        passes=engine(extraArgs=["--max-log-len=100"]),
    ),
    Case(code="SEC008", breaks=engine(extraArgs=["--hf_token=abc"]), remedy="huggingFaceToken"),
    Case(
        code="SEC008",
        breaks=engine(name="sglang", version="0.5.23", maxModelLen=None, extraArgs=["--admin-api-key=abc"]),
        says=("--admin-api-key",),
        remedy="gateway",
        passes=engine(name="sglang", version="0.5.23", maxModelLen=None, extraArgs=["--log-level=info"]),
    ),
    Case(
        code="SEC009",
        breaks={},
        says=("enableNetworkPolicy",),
        passes={"cluster": {"provider": "kubeconfig", "name": None, "context": "lab"}},
    ),
]
