"""The closed set of engines. A new engine is one file beside this one, and one member here."""

from components.engines.vllm import Vllm

AnyEngine = Vllm
