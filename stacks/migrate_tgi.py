"""A workload of Text Generation Inference as a vLLM workload: the equivalent engine section, and what has no equivalent. Pure.

Options of both: `components/engines/tgi.py` and vLLM's option tables; what each does: launcher/src/main.rs of TGI v3.3.7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from catalog.options import versions
from components.engines import tgi_facts
from components.engines.tgi import Tgi
from components.resolved import Stack, Workload

_SAME = {
    "num_shard": "tensorParallelSize",
    "dtype": "dtype",
    "max_total_tokens": "maxModelLen",
    "max_batch_prefill_tokens": "maxNumBatchedTokens",
    "max_batch_size": "maxNumSeqs",
    "max_top_n_tokens": "maxLogprobs",
    "cuda_memory_fraction": "gpuMemoryUtilization",
    "prefix_caching": "enablePrefixCaching",
    "prefill_chunking": "enableChunkedPrefill",
    "trust_remote_code": "trustRemoteCode",
}
"""TGI's field -> vLLM's key, with the same value."""
_VALUES: Mapping[str, tuple[str, Mapping[str, str | None]]] = {
    "kv_cache_dtype": ("kvCacheDtype", {"fp8_e4m3fn": "fp8_e4m3", "fp8_e5m2": "fp8_e5m2"}),
    "attention": ("attentionBackend", {"flashinfer": "FLASHINFER", "flashdecoding": "FLASH_ATTN", "paged": None}),
}
"""TGI's field -> vLLM's key, with other words for the values; None: leave it out."""
_QUANTIZE = {"fp8": "fp8", "eetq": "int8_per_channel_weight_only", "bitsandbytes": "int8_per_channel_weight_only"}
"""Methods for plain weights -> --quantization."""
_REMARKS = {
    "cuda_memory_fraction": "gpuMemoryUtilization counts all that vLLM puts on the GPU; TGI left a tenth of its share free by itself",
    "max_batch_prefill_tokens": "maxNumBatchedTokens also counts the tokens of running requests, and must be at least maxNumSeqs",
    "max_batch_size": "maxNumSeqs limits running sequences; the others wait",
    "max_top_n_tokens": "maxLogprobs limits `logprobs` of a request, which takes the place of `top_n_tokens`",
}
"""Said of an option that has an equivalent, where that isn't quite the same."""
_GONE = {
    "sharded": "not needed: tensorParallelSize says it",
    "max_concurrent_requests": "vLLM takes every request and lets it wait: limit them at a gateway",
    "max_input_tokens": "vLLM has no limit for the prompt alone: maxModelLen is for prompt and answer together",
    "max_batch_total_tokens": "vLLM measures how many tokens fit",
    "max_waiting_tokens": "vLLM lets waiting requests in at every step",
    "waiting_served_ratio": "vLLM lets waiting requests in at every step",
    "max_best_of": "requests ask for several answers with `n`",
    "max_stop_sequences": "vLLM has no limit for `stop`",
    "max_client_batch_size": "vLLM has no limit for the prompts of one request",
    "validation_workers": "vLLM has no such setting",
    "rope_scaling": "give rope_parameters as the model card has them in hfOverrides",
    "rope_factor": "give rope_parameters as the model card has them in hfOverrides",
    "disable_grammar_support": "structured output can't be switched off; it costs nothing until a request asks for it",
    "enable_prefill_logprobs": "requests may always ask for `prompt_logprobs`",
    "disable_custom_kernels": "vLLM has no such setting",
    "usage_stats": "pods of this project never send usage statistics",
    "payload_limit": "limit the size of requests at a gateway",
    "json_output": "logs are configured with a file that the variable VLLM_LOGGING_CONFIG_PATH names",
    "tokenizer_config_path": "put the template of that file into chatTemplate",
}
"""What to do about an option that has no equivalent."""
_CLIENTS = (
    "clients name the model {name} instead of tgi, and call /v1/chat/completions or /v1/completions: /generate and /generate_stream are "
    "TGI's own",
    "metrics are called vllm:... instead of tgi_...",
    "requests beyond maxConcurrentRequests (128 by default) got an error from TGI; with vLLM they wait",
)


@dataclass(slots=True)
class Migration:
    """The vLLM engine section, and what a reader must know beside it."""

    engine: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    """Environment variables of the workload that take the place of options."""
    notes: list[str] = field(default_factory=list)


def migrate(workload: Workload, engine: Tgi) -> Migration:
    """The equivalent for the newest vLLM that is known; every option that the stack file sets is in the section or in a note."""
    found = Migration(engine={"name": "vllm", "version": versions("vllm")[-1]})
    for name in type(engine).model_fields:
        value = getattr(engine, name)
        if name not in engine.model_fields_set or value is None or name in ("name", "version"):
            continue
        key = engine.key_name(name)
        if name in _SAME:
            found.engine[_SAME[name]] = value
        elif name in _VALUES:
            other, values = _VALUES[name]
            _set(found, other, values[value], f"{key} {value}: vLLM picks the implementation itself")
        elif name in _GONE:
            found.notes.append(f"{key} {_words(value)}: {_GONE[name]}")
        else:
            _HANDLERS[name](found, workload, value)
        if name in _REMARKS:
            found.notes.append(f"{key} {_words(value)}: {_REMARKS[name]}")
    if engine.max_total_tokens is None:
        found.engine["maxModelLen"] = "auto"
        found.notes.append("maxTotalTokens isn't set, so TGI took what fits: maxModelLen: auto does the same")
    _whole_prompts(found)
    found.notes += [f"the variable {name}: check whether vLLM reads it" for name in workload.env]
    found.notes += [one.format(name=workload.launch.served_name) for one in _CLIENTS]
    return found


def migrated(stack: Stack, name: str) -> str:
    """A workload's vLLM section as YAML, with the notes as comments.

    Raises ValueError where there is no such workload, or where another engine serves it.
    """
    workload = stack.workloads.get(name)
    if workload is None:
        raise ValueError(f"no workload {name} in stack {stack.name}; there are: {', '.join(stack.workloads) or 'none'}")
    if not isinstance(workload.engine, Tgi):
        raise ValueError(f"workload {name} runs on {workload.engine.name}; only workloads on tgi are migrated, to vllm")
    return _text(workload, migrate(workload, workload.engine))


def _text(workload: Workload, migration: Migration) -> str:
    section: dict[str, Any] = {"engine": migration.engine, **({"env": migration.env} if migration.env else {})}
    body = yaml.safe_dump(section, sort_keys=False, allow_unicode=True, width=120)
    head = f"# workloads.{workload.name} on vLLM. Check it with `llm-serving check` before you deploy it.\n"
    return head + body + "# Notes:\n" + "".join(f"# - {note}\n" for note in migration.notes)


def _set(found: Migration, key: str, value: Any, otherwise: str) -> None:
    if value is None:
        found.notes.append(otherwise)
    else:
        found.engine[key] = value


def _whole_prompts(found: Migration) -> None:
    """Without chunked prefill vLLM wants room for the longest request in one step, where TGI wants it for the longest prompt."""
    tokens, longest = found.engine.get("maxNumBatchedTokens"), found.engine.get("maxModelLen")
    whole = found.engine.get("enableChunkedPrefill") is False and isinstance(longest, int)
    if whole and tokens is not None and tokens < longest:
        found.engine["maxNumBatchedTokens"] = longest
        found.notes.append(f"maxNumBatchedTokens {longest}: without chunked prefill vLLM refuses less than maxModelLen")


def _quantize(found: Migration, workload: Workload, value: str) -> None:
    if workload.model.quantization != "none":
        found.notes.append(f"quantize {value}: vLLM reads the method from the checkpoint")
    elif value in tgi_facts.AT_LOAD:
        instead = (
            "vLLM has no 4-bit method for plain weights like it: name a checkpoint that is quantized with AWQ or GPTQ"
        )
        _set(found, "quantization", _QUANTIZE.get(value), f"quantize {value}: {instead}")
        if found.engine.get("quantization", value) != value:
            found.notes.append(
                f"quantize {value}: {_QUANTIZE[value]} also keeps 8-bit weights, with kernels of its own"
            )
    else:
        found.notes.append(f"quantize {value}: needs a checkpoint quantized so, which {workload.model.id} isn't")


def _speculate(found: Migration, workload: Workload, value: int) -> None:
    if value:
        found.engine["speculativeConfig"] = {"method": "ngram", "numSpeculativeTokens": value}
        found.notes.append(
            f"speculate {value}: vLLM needs a draft model's name for Medusa heads; this is the n-gram method"
        )
    else:
        found.notes.append("speculate 0: vLLM doesn't speculate unless it is told to")


def _cuda_graphs(found: Migration, workload: Workload, value: list[int]) -> None:
    sizes = sorted(size for size in value if size)
    if sizes:
        found.engine["compilationConfig"] = {"cudagraphCaptureSizes": sizes}
    else:
        found.engine["enforceEager"] = True


def _lora_adapters(found: Migration, workload: Workload, value: list[str]) -> None:
    found.engine |= {
        "enableLora": True,
        "loraModules": [{"name": one, "model": one} for one in value],
        "maxLoras": len(value),
    }
    found.notes.append(
        "loraAdapters: clients name an adapter as the model; set maxLoraRank where an adapter's rank is above 16"
    )


def _extra(found: Migration, *words: str) -> None:
    found.engine.setdefault("extraArgs", []).extend(words)


def _cors_allow_origin(found: Migration, workload: Workload, value: list[str]) -> None:
    origins = ", ".join(f'"{one}"' for one in value)
    _extra(found, f"--allowed-origins=[{origins}]")


def _otlp_endpoint(found: Migration, workload: Workload, value: str) -> None:
    _extra(found, f"--otlp-traces-endpoint={value}")


def _otlp_service_name(found: Migration, workload: Workload, value: str) -> None:
    found.env["OTEL_SERVICE_NAME"] = value


def _image(found: Migration, workload: Workload, value: str) -> None:
    found.notes.append(f"{value}: vLLM's official image runs without root")


def _extra_args(found: Migration, workload: Workload, value: list[str]) -> None:
    found.notes += [f"{word} in extraArgs: look for its equivalent in vLLM" for word in value]


def _words(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_HANDLERS = {
    "quantize": _quantize,
    "speculate": _speculate,
    "cuda_graphs": _cuda_graphs,
    "lora_adapters": _lora_adapters,
    "cors_allow_origin": _cors_allow_origin,
    "otlp_endpoint": _otlp_endpoint,
    "otlp_service_name": _otlp_service_name,
    "image": _image,
    "image_digest": _image,
    "extra_args": _extra_args,
}
"""Options that need more than another name."""
