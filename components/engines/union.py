"""The closed set of engines. A new engine is one file beside this one, and one member here."""

from typing import Annotated

from pydantic import Field

from components.engines.huggingface import HuggingFace
from components.engines.sglang import Sglang
from components.engines.tensorrt_llm import TensorRtLlm
from components.engines.tgi import Tgi
from components.engines.vllm import Vllm

AnyEngine = Annotated[Vllm | Tgi | TensorRtLlm | Sglang | HuggingFace, Field(discriminator="name")]
