"""Optional speed: hand-written training layers (``layers``) and a folded sampler (``folded``).

Delete this folder and everything still works, more slowly: training and sampling use it only
where it can be imported, and only for models that ``is_plain`` accepts.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn
from torch.nn.modules.module import _has_any_global_hook

from ..models import Attention, Block, CharRNN, CharTransformer

MODELS = (CharRNN, CharTransformer)
# What a plain model consists of, with the forward pass that the fast paths reproduce.
FORWARD = {
    kind: kind.forward
    for kind in (
        *MODELS, Block, Attention, nn.Embedding, nn.RNN, nn.LSTM, nn.GRU, nn.Linear,
        nn.LayerNorm, nn.Dropout, nn.ModuleList,
    )
}  # fmt: skip
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
SETTING = (bool, int, float, str, tuple, type(None))


def is_plain(model):
    """Whether ``model`` is exactly what ``models.py`` builds from its ``config``.

    Only then may a fast path stand in for its forward pass. A subclass, a hook (on the model,
    on a part of it or on all modules), a replaced ``forward``, a part exchanged for another
    kind or one with other settings (an embedding with ``padding_idx``, an RNN with ReLU),
    a parametrised or shared weight and a precision other than float32 and float64 are refused.
    """
    if type(model) not in MODELS or _has_any_global_hook():
        return False
    try:
        template = _template(type(model), tuple(model.config.items()))
    except (AttributeError, TypeError, ValueError, RuntimeError):  # an edited config
        return False
    parts, weights = dict(model.named_modules()), dict(model.named_parameters())
    wanted_parts, wanted_weights = template
    return (
        parts.keys() == wanted_parts.keys()
        and all(_is_unchanged(part, *wanted_parts[name]) for name, part in parts.items())
        and {name: w.shape for name, w in weights.items()} == wanted_weights
        and {type(w) for w in weights.values()} == {nn.Parameter}
        and {w.dtype for w in weights.values()} in ({torch.float32}, {torch.float64})
    )


@lru_cache(maxsize=64)
def _template(kind, config):
    """A model's parts {name: (type, settings)} and weights {name: shape}, built without memory."""
    with torch.device("meta"):
        model = kind(**dict(config))
    parts = {
        name: (type(part), {k: v for k, v in vars(part).items() if isinstance(v, SETTING)})
        for name, part in model.named_modules()
    }
    for _, settings in parts.values():
        del settings["training"]
    return parts, {name: weight.shape for name, weight in model.named_parameters()}


def _is_unchanged(part, kind, settings):
    """Whether a module has that type and those attributes, and does what its class defines."""
    attributes = vars(part)
    return (
        type(part) is kind
        and FORWARD.get(kind) is kind.forward
        and "forward" not in attributes
        and part._compiled_call_impl is None
        and not any(attributes[hooks] for hooks in HOOKS)
        and all(attributes.get(name) == value for name, value in settings.items())
    )
