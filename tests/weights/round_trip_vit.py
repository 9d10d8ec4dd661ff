#!/usr/bin/env python3
"""round_trip_vit.py DIRECTORY: timm and transformers load strictly what round_trip_sample wrote there and compute the
same. Needs torch, timm, transformers and safetensors; a library that is absent is a failure."""
import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import types

import torch
from safetensors.torch import load_file

root = pathlib.Path(sys.argv[1])


def stand_in_for_torchvision():
    """timm imports torchvision for its data pipeline, which is not used here, and no wheel of it fits every torch."""

    class Anything(type):
        def __getattr__(cls, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return name

    class Module(types.ModuleType):
        __path__ = []

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return Anything(name, (), {"__init__": lambda self, *args, **kwargs: None})

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.split(".")[0] == "torchvision":
                return importlib.machinery.ModuleSpec(name, Finder, is_package=True)

        @staticmethod
        def create_module(spec):
            return Module(spec.name)

        @staticmethod
        def exec_module(module):
            pass

    sys.meta_path.insert(0, Finder)


def equal(what, got, expected):
    worst = float(((got - expected).abs() / (1e-5 + 1e-4 * expected.abs())).max())
    if got.shape != expected.shape or not worst <= 1:
        sys.exit(f"FAILED: {what}: shape {tuple(got.shape)}, expected {tuple(expected.shape)}; {worst:g} of the tolerance")
    print(f"{what}: {worst:.3f} of the tolerance")


def strictly(what, loaded):
    model, info = loaded
    faults = {kind: names for kind, names in info.items() if names}
    if faults:
        sys.exit(f"FAILED: {what}: {faults}")
    return model.eval()


with torch.no_grad():
    # transformers first: it must see that torchvision is absent
    from transformers import ViTForImageClassification, ViTMAEForPreTraining, ViTModel

    for name, build in [("transformers_classifier", lambda p: ViTForImageClassification.from_pretrained(p, output_loading_info=True)),
                        ("transformers_model", lambda p: ViTModel.from_pretrained(p, add_pooling_layer=False, output_loading_info=True))]:
        example = load_file(root / name / "example.safetensors")
        output = strictly(name, build(root / name))(example["images"])
        equal(name, output.logits if "logits" in output else output.last_hidden_state, example["output"])

    name = "transformers_mae"
    example = load_file(root / name / "example.safetensors")
    model = strictly(name, ViTMAEForPreTraining.from_pretrained(root / name, output_loading_info=True))
    output = model(example["images"], noise=example["noise"])
    equal(name, output.logits, example["output"])
    equal(name + " loss", output.loss, example["loss"])

    if importlib.util.find_spec("torchvision") is None:
        stand_in_for_torchvision()
    import timm

    for name in ["timm_token", "timm_avg"]:
        example = load_file(root / name / "example.safetensors")
        model = timm.create_model(f"local-dir:{root / name}", pretrained=True).eval()
        equal(name, model(example["images"]), example["output"])
        weights = load_file(root / name / "model.safetensors")
        model.load_state_dict(weights, strict=True)
        drop = json.loads((root / name / "config.json").read_text())["model_args"]["drop_path_rate"]
        rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in model.blocks]
        equal(name + " drop path", torch.tensor(rates), torch.linspace(0, drop, len(rates)))
