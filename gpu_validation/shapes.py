"""Models of a known shape with random weights: what a validation needs where no checkpoint is on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvtheory.errors import InputError


@dataclass(frozen=True)
class Shape:
    """A dense Llama.

    Attributes:
        hidden, intermediate, layers, heads, kv_heads, head_dim, vocabulary: as in its config.json.
        dtype: of weights and cache.
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    dtype: str

    def config(self, longest: int) -> dict[str, Any]:
        """The config.json that vLLM reads."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": longest,
            "rope_theta": 500000.0,
            "rms_norm_eps": 1e-5,
            "torch_dtype": self.dtype,
            "bos_token_id": 1,
            "eos_token_id": 2,
        }


SHAPES = {
    "tiny-shape": Shape(64, 128, 1, 2, 1, 32, 512, "float32"),
    "mini-shape": Shape(256, 768, 4, 4, 2, 64, 2048, "float32"),
    "small-shape": Shape(512, 1536, 8, 8, 4, 64, 4096, "float32"),
    "llama-8b-shape": Shape(4096, 14336, 32, 32, 8, 128, 128256, "bfloat16"),
}

WEIGHTS = ("*.safetensors", "*.bin", "*.pt")
"""Files that vLLM loads weights from; a folder without any gets random ones."""


def model_folder(model: str, longest: int, folder: Path) -> tuple[str, bool, int]:
    """Where vLLM finds the model, whether its weights are random, and its vocabulary.

    Args:
        model: a name of `SHAPES`, or the path of a model.
        longest: longest prompt and output, in tokens.
        folder: where the config of a shape is written.

    Raises:
        InputError: if it is neither.
    """
    if shape := SHAPES.get(model):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(shape.config(longest)), encoding="utf-8")
        return str(folder), True, shape.vocabulary
    config = Path(model) / "config.json"
    try:
        vocabulary = int(json.loads(config.read_text(encoding="utf-8"))["vocab_size"])
    except (OSError, ValueError, KeyError) as error:
        known = ", ".join(SHAPES)
        raise InputError(f"'{model}' is no folder of a model, nor one of {known}", field="model") from error
    weights = any(file for pattern in WEIGHTS for file in Path(model).glob(pattern))
    return model, not weights, vocabulary
