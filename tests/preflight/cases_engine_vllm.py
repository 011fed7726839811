"""ENG030 to ENG049: options of vLLM that need each other, the model, or the pod."""

from typing import Any

from tests.preflight.case import COMMIT, Case
from tests.preflight.cases_memory import SMALL, engine, model, pool

DEEPSEEK = "deepseek-ai/DeepSeek-V3"
MIXTRAL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
HEAD = "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"
B200 = pool("B200")


def beside(name: str, hf_id: str, **more: Any) -> dict[str, Any]:
    """One more model on the weights volume."""
    return {name: {"id": hf_id, "revision": COMMIT, "volume": "weights", **more}}


def guess(**options: Any) -> dict[str, Any]:
    """The workload with speculative decoding."""
    return {"workloads": engine(speculativeConfig={"numSpeculativeTokens": 3, **options})}


def on_s3(**workload: Any) -> dict[str, Any]:
    """The model in a bucket."""
    llama = {"llama": {"volume": None, "storageUri": "s3://weights-bucket/llama"}}
    return {"models": llama, "volumes": {"weights": None}, "workloads": {"chat": workload}}


ROLE = {"arn": "arn:aws:iam::123456789012:role/weights"}
STREAMED = {"loadFormat": "runai_streamer"}

CASES = [
    Case(
        code="ENG030",
        breaks={
            "models": beside("head", HEAD, weightsSize="1Gi"),
            "workloads": engine(
                version="0.29.0",
                speculativeConfig={
                    "method": "eagle3",
                    "model": "head",
                    "numSpeculativeTokens": 3,
                    "disableEagleBlockDrop": True,
                },
            ),
        },
        says=("--speculative-config of vLLM 0.29.0 has no key disable_eagle_block_drop",),
        remedy="remove disableEagleBlockDrop",
        passes={
            "models": beside("head", HEAD, weightsSize="1Gi"),
            **guess(method="eagle3", model="head", disableEagleBlockDrop=True),
        },
    ),
    Case(
        code="ENG030",
        breaks={
            "workloads": engine(
                version="0.32.0",
                speculativeConfig={"method": "ngram", "numSpeculativeTokens": 3, "rejectionSampleMethod": "fly"},
            )
        },
        says=("rejection_sample_method", "'fly'", "block, standard, synthetic"),
        passes=guess(method="ngram", rejectionSampleMethod="fly"),
    ),
    Case(
        code="ENG030",
        breaks={"workloads": engine(extraArgs=["--compilation-config.modus=3"])},
        says=("--compilation-config of vLLM 0.33.0 has no key modus",),
        remedy="remove --compilation-config.modus from extraArgs",
        passes={"workloads": engine(extraArgs=["-cc.mode=3", "--compilation_config.custom_ops+", "none"])},
    ),
    Case(
        code="ENG031",
        breaks={"workloads": engine(toolCallParser="hermess")},
        says=("no toolCallParser hermess", "llama3_json"),
        remedy="set toolCallParser: hermes",
        passes={"workloads": engine(toolCallParser="hermes", reasoningParser="qwen3", loadFormat="safetensors")},
    ),
    Case(
        code="ENG031",
        breaks={"workloads": engine(version="0.29.0", loadFormat="ipc_cache")},
        says=("no loadFormat ipc_cache",),
        passes={"workloads": engine(loadFormat="ipc_cache")},
    ),
    Case(  # P2pNccl went before 0.29
        code="ENG031",
        breaks={"workloads": engine(kvTransferConfig={"kvConnector": "P2pNcclConnector", "kvRole": "kv_both"})},
        says=("no kvConnector P2pNcclConnector", "NixlConnector"),
        passes={
            "workloads": engine(
                kvTransferConfig={
                    "kvConnector": "MineConnector",
                    "kvRole": "kv_both",
                    "kvConnectorModulePath": "mine.connector",
                }
            )
        },
    ),
    Case(
        code="ENG032",
        breaks={"workloads": engine(enableAutoToolChoice=True)},
        says=("needs toolCallParser",),
        passes={"workloads": engine(enableAutoToolChoice=True, toolCallParser="llama3_json")},
    ),
    Case(
        code="ENG033",
        breaks={
            "models": beside("sql", "nobody/sql-lora"),
            "workloads": engine(loraModules=[{"name": "sql", "model": "sql"}]),
        },
        says=("loraModules without enableLora",),
        remedy="set enableLora: true",
        passes={
            "models": beside("sql", "nobody/sql-lora"),
            "workloads": engine(enableLora=True, loraModules=[{"name": "sql", "model": "sql"}]),
        },
    ),
    Case(
        code="ENG033",
        breaks={"workloads": engine(enableLora=True, maxLoras=8, maxCpuLoras=4)},
        says=("maxCpuLoras 4 is less than maxLoras 8",),
        remedy="set maxCpuLoras: 8",
        passes={"workloads": engine(enableLora=True, maxLoras=8)},
    ),
    Case(
        code="ENG033",
        breaks={
            "models": beside("sql", "nobody/sql-lora"),
            "workloads": engine(enableLora=True, loraModules=[{"name": "llama", "model": "sql"}]),
        },
        says=("llama names two things",),
    ),
    Case(  # 262,208 tokens
        code="ENG033",
        breaks={"models": model("google/gemma-3-4b-it"), "workloads": engine(enableLora=True)},
        says=("258,048",),
    ),
    Case(
        code="ENG034",
        breaks={"workloads": engine(kvTransferConfig={"kvConnector": "NixlConnector"})},
        says=("no kvRole",),
        remedy="set kvRole: kv_both",
        passes={"workloads": engine(kvTransferConfig={"kvConnector": "NixlConnector", "kvRole": "kv_producer"})},
    ),
    Case(
        code="ENG034",
        breaks={"workloads": engine(kvTransferConfig={"kvConnector": "OffloadingConnector", "kvRole": "kv_both"})},
        says=("needs cpu_bytes_to_use",),
        passes={
            "workloads": engine(
                kvTransferConfig={
                    "kvConnector": "OffloadingConnector",
                    "kvRole": "kv_both",
                    "kvConnectorExtraConfig": {"cpu_bytes_to_use": 8589934592},
                }
            )
        },
    ),
    Case(
        code="ENG034",
        breaks={
            "workloads": engine(
                kvTransferConfig={"kvConnector": "NixlConnector", "kvRole": "kv_both"}, kvOffloadingSize=8
            )
        },
        says=("replaces the connector NixlConnector",),
        remedy="remove kvOffloadingSize",
        passes={"workloads": engine(kvOffloadingSize=8)},
    ),
    Case(
        code="ENG034",
        breaks={"workloads": engine(kvTransferConfig={"kvConnector": "MultiConnector", "kvRole": "kv_both"})},
        says=("no connectors",),
        passes={
            "workloads": engine(
                kvTransferConfig={
                    "kvConnector": "MultiConnector",
                    "kvRole": "kv_both",
                    "kvConnectorExtraConfig": {
                        "connectors": [
                            {"kv_connector": "NixlConnector", "kv_role": "kv_both"},
                            {
                                "kv_connector": "LMCacheConnectorV1",
                                "kv_role": "kv_both",
                                "kv_connector_extra_config": {"lmcache.max_local_cpu_size": 5},
                            },
                        ]
                    },
                }
            )
        },
    ),
    Case(  # 8 KV heads: 8 ranks make no copies
        code="ENG035",
        breaks={"workloads": engine(tensorParallelSize=8, decodeContextParallelSize=2)},
        says=("makes 1 of each of the 8",),
        remedy="set decodeContextParallelSize: 1",
        passes={
            "models": model("Qwen/Qwen3-235B-A22B"),
            "workloads": engine(tensorParallelSize=8, decodeContextParallelSize=2, enableExpertParallel=True),
        },
    ),
    Case(
        code="ENG035",
        breaks={"workloads": engine(tensorParallelSize=2, decodeContextParallelSize=4)},
        says=("tensorParallelSize 2 can't be divided by decodeContextParallelSize 4",),
    ),
    Case(
        code="ENG035",
        breaks={
            "models": model(SMALL),
            "workloads": engine(version="0.29.0", prefillContextParallelSize=2, dataParallelSize=2),
        },
        says=("0.29.0 doesn't take prefillContextParallelSize",),
        remedy="remove prefillContextParallelSize",
        passes={"models": model(SMALL), "workloads": engine(prefillContextParallelSize=2, dataParallelSize=2)},
    ),
    Case(
        code="ENG036",
        breaks={
            "models": beside("draft", SMALL),
            "workloads": engine(
                tensorParallelSize=4,
                speculativeConfig={
                    "method": "draft_model",
                    "model": "draft",
                    "numSpeculativeTokens": 3,
                    "draftTensorParallelSize": 2,
                },
            ),
        },
        says=("draftTensorParallelSize 2 must be 1 or tensorParallelSize, which is 4",),
        remedy="remove draftTensorParallelSize",
        passes={
            "models": beside("draft", SMALL),
            "workloads": engine(
                tensorParallelSize=4,
                speculativeConfig={
                    "method": "draft_model",
                    "model": "draft",
                    "numSpeculativeTokens": 3,
                    "draftTensorParallelSize": 1,
                },
            ),
        },
    ),
    Case(
        code="ENG037",
        breaks=guess(method="mtp", numSpeculativeTokens=1),
        says=("no multi-token-prediction layers",),
        remedy="method: ngram",
        passes={
            "nodeGroups": B200,
            "models": model(DEEPSEEK),
            "workloads": engine(tensorParallelSize=8, speculativeConfig={"method": "mtp", "numSpeculativeTokens": 2}),
        },
    ),
    Case(
        code="ENG038",
        breaks={"models": beside("draft", "Qwen/Qwen3-0.6B"), **guess(method="draft_model", model="draft")},
        says=("151,936", "128,256"),
        remedy="useHeterogeneousVocab",
        passes={"models": beside("draft", SMALL), **guess(method="draft_model", model="draft")},
    ),
    Case(
        code="ENG039",
        breaks=guess(method="ngram", promptLookupMin=6, promptLookupMax=4),
        says=("promptLookupMin 6 is more than promptLookupMax 4",),
        remedy="set promptLookupMin: 4",
        passes=guess(method="ngram", promptLookupMin=2, promptLookupMax=4),
    ),
    Case(
        code="ENG039",
        breaks=guess(method="ngram", rejectionSampleMethod="fly", numSpeculativeTokens=1),
        says=("at least 2",),
        remedy="set numSpeculativeTokens: 2",
    ),
    Case(
        code="ENG039",
        breaks={
            "workloads": engine(
                enableLora=True,
                maxNumSeqs=1024,
                maxNumBatchedTokens=2048,
                speculativeConfig={"method": "ngram", "numSpeculativeTokens": 3},
            )
        },
        says=("4096 in all",),
        remedy="set maxNumBatchedTokens: 4096",
        passes={
            "workloads": engine(
                maxNumSeqs=1024,
                maxNumBatchedTokens=2048,
                speculativeConfig={"method": "ngram", "numSpeculativeTokens": 3},
            )
        },
    ),
    Case(
        code="ENG040",
        breaks={"models": beside("head", HEAD), **guess(method="eagle3", model="head")},
        says=(HEAD, "weightsSize"),
        passes={"models": beside("head", HEAD, weightsSize="1Gi"), **guess(method="eagle3", model="head")},
    ),
    Case(
        code="ENG041",
        breaks={
            "workloads": {
                "chat": {
                    "env": {"VLLM_SERVER_DEV_MODE": "1"},
                    "engine": {
                        "enableSleepMode": True,
                        "kvTransferConfig": {"kvConnector": "NixlConnector", "kvRole": "kv_both"},
                    },
                }
            }
        },
        says=("NixlConnector can't follow",),
        remedy="remove enableSleepMode",
        passes={"workloads": {"chat": {"env": {"VLLM_SERVER_DEV_MODE": "1"}, "engine": {"enableSleepMode": True}}}},
    ),
    Case(
        code="ENG041",
        breaks={"workloads": engine(enableSleepMode=True)},
        says=("developer mode",),
        remedy="VLLM_SERVER_DEV_MODE",
    ),
    Case(
        code="ENG042",
        breaks={"models": model(MIXTRAL), "workloads": engine(tensorParallelSize=4, enableEplb=True)},
        says=("needs enableExpertParallel",),
        remedy="set enableExpertParallel: true",
        passes={
            "models": model(MIXTRAL),
            "workloads": engine(tensorParallelSize=4, enableEplb=True, enableExpertParallel=True),
        },
    ),
    Case(
        code="ENG042",
        breaks={"workloads": engine(eplbConfig={"numRedundantExperts": 2})},
        says=("numRedundantExperts 2 needs enableEplb",),
        passes={"workloads": engine(eplbConfig={"windowSize": 2})},
    ),
    Case(
        code="ENG043",
        breaks={"workloads": engine(structuredOutputsConfig={"disableAnyWhitespace": True})},
        says=("backend is auto",),
        remedy="set backend: xgrammar",
        passes={"workloads": engine(structuredOutputsConfig={"backend": "guidance", "disableAnyWhitespace": True})},
    ),
    Case(
        code="ENG043",
        breaks={
            "workloads": engine(structuredOutputsConfig={"backend": "xgrammar", "disableAdditionalProperties": True})
        },
        says=("guidance only",),
    ),
    Case(
        code="ENG044",
        breaks=guess(method="suffix"),
        says=("arctic-inference",),
        passes={
            "workloads": engine(
                image="registry.example.com/vllm-arctic:0.33.0",
                speculativeConfig={"method": "suffix", "numSpeculativeTokens": 3},
            )
        },
    ),
    Case(
        code="ENG045",
        breaks={
            "models": beside("head", HEAD, weightsSize="1Gi"),
            "workloads": engine(
                pipelineParallelSize=2,
                speculativeConfig={"method": "eagle3", "model": "head", "numSpeculativeTokens": 3},
            ),
        },
        says=("pipelineParallelSize 2",),
        passes={
            "models": beside("head", HEAD, weightsSize="1Gi"),
            "workloads": engine(
                tensorParallelSize=2,
                speculativeConfig={"method": "eagle3", "model": "head", "numSpeculativeTokens": 3},
            ),
        },
    ),
    Case(
        code="ENG046",
        breaks=on_s3(awsRole=ROLE),
        says=("s3://weights-bucket/llama", "loadFormat"),
        remedy="set loadFormat: runai_streamer",
        passes=on_s3(awsRole=ROLE, engine=STREAMED),
    ),
    Case(
        code="ENG046",
        breaks=on_s3(engine=STREAMED),
        says=("without a role",),
        passes=on_s3(awsRole={**ROLE, "via": "irsa"}, engine=STREAMED),
    ),
    Case(
        code="ENG046",
        breaks={
            "cluster": {"provider": "kubeconfig", "name": None, "context": "lab"},
            "nodeGroups": pool("H100-80GB"),
            "volumes": {
                "weights": {
                    "storage": "existingClaim",
                    "fileSystemId": None,
                    "size": None,
                    "claimName": "w",
                    "accessMode": "ReadWriteMany",
                }
            },
            "workloads": {"chat": {"awsRole": ROLE}},
        },
        says=("awsRole works on EKS",),
        remedy="remove awsRole",
    ),
    Case(
        code="ENG047",
        breaks={"workloads": engine(kvOffloadingSize=8, kvOffloadingBackend="lmcache")},
        says=("localhost:5555",),
        remedy="remove kvOffloadingBackend",
        passes={"workloads": engine(kvOffloadingSize=8, kvOffloadingBackend="native")},
    ),
    Case(
        code="ENG047",
        breaks={"workloads": engine(dataParallelSize=2, dataParallelBackend="ray")},
        says=("Ray cluster",),
        remedy="remove dataParallelBackend",
        passes={"workloads": engine(dataParallelSize=2, dataParallelBackend="mp")},
    ),
    Case(
        code="ENG047",
        breaks={"workloads": engine(kvTransferConfig={"kvConnector": "NixlConnector", "kvRole": "kv_producer"})},
        says=("ports of its own", "8000"),
        passes={
            "workloads": engine(
                kvTransferConfig={
                    "kvConnector": "LMCacheConnectorV1",
                    "kvRole": "kv_both",
                    "kvConnectorExtraConfig": {"lmcache.max_local_cpu_size": 5},
                }
            )
        },
    ),
    Case(
        code="ENG048",
        breaks={
            "volumes": {"weights": None},
            "models": {
                "llama": {"volume": None},
                "sql": {"id": "nobody/sql-lora", "revision": COMMIT},
            },
            "workloads": engine(enableLora=True, loraModules=[{"name": "sql", "model": "sql"}]),
        },
        says=("nobody/sql-lora", "without a revision"),
        passes={
            "models": beside("sql", "nobody/sql-lora"),
            "workloads": engine(enableLora=True, loraModules=[{"name": "sql", "model": "sql"}]),
        },
    ),
    Case(
        code="ENG049",
        breaks={
            "workloads": {"chat": {"resources": {"shm": "4Gi", "memory": "64Gi"}, "engine": {"kvOffloadingSize": 16}}}
        },
        says=("16Gi", "4Gi"),
        remedy="set shm: 17Gi",
        passes={"workloads": engine(kvOffloadingSize=16)},
    ),
]
