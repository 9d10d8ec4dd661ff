"""Reads the models that round_trip_vit wrote, strictly, and compares outputs: round_trip_vit.py FOLDER."""
import importlib.abc
import importlib.machinery
import json
import pathlib
import sys
import types

import torch
from safetensors.torch import load_file

folder = pathlib.Path(sys.argv[1])
torch.set_grad_enabled(False)


def compare(name, **pairs):
    for what, (ours, theirs) in pairs.items():
        assert ours.shape == theirs.shape, (name, what, ours.shape, theirs.shape)
        used = ((ours - theirs).abs() / (1e-5 + 1e-4 * theirs.abs())).max().item()
        print(f"{name:24} {what:10} {used:.3f} of the tolerance")
        assert used <= 1, f"{name}: {what} differs"


def strictly(info):
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[kind], (kind, info[kind])


class Anything(type):
    """A class whose every attribute is another one."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name, (), {})


class Torchvision(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """timm imports torchvision for what a ViT does not use; its wheels belong to other builds of torch."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: getattr(Anything("module", (), {}), name)
        module.__version__ = "0.0"
        return module

    def exec_module(self, module):
        pass


def timm_models():
    sys.meta_path.append(Torchvision())
    import timm
    sys.meta_path.pop()
    for name in ("timm_token", "timm_mean"):
        check = load_file(folder / name / "check.safetensors")
        config = json.loads((folder / name / "config.json").read_text())
        model = timm.models.vision_transformer.VisionTransformer(**config["model_args"]).eval()
        model.load_state_dict(load_file(folder / name / "model.safetensors"), strict=True)
        compare(name, logits=(check["logits"], model(check["images"])))


def transformers_models():
    from transformers import ViTForImageClassification, ViTMAEForPreTraining
    name = "transformers_vit"
    check = load_file(folder / name / "check.safetensors")
    model, info = ViTForImageClassification.from_pretrained(folder / name, output_loading_info=True)
    strictly(info)
    assert model.config.id2label[0] == "MEL"
    compare(name, logits=(check["logits"], model.eval()(check["images"]).logits))
    name = "transformers_mae"
    check = load_file(folder / name / "check.safetensors")
    model, info = ViTMAEForPreTraining.from_pretrained(folder / name, output_loading_info=True)
    strictly(info)
    output = model.eval()(check["images"], noise=check["noise"])
    compare(name, mask=(check["mask"], output.mask), prediction=(check["prediction"], output.logits),
            loss=(check["loss"], output.loss))


timm_models()
transformers_models()
