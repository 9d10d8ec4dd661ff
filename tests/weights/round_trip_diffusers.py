#!/usr/bin/env python3
"""Our autoencoders and UNets as diffusers folders, there and back.

    python round_trip_diffusers.py PROGRAM OUT

PROGRAM is the built round_trip_diffusers; OUT is a folder to write into. Each model that we saved must load in
diffusers without a missing or unexpected tensor and give our answers within |a - b| <= 1e-5 + 1e-4 |b|; what diffusers
then saves must hold the same tensors bit for bit, and give us our answers bit for bit. Needs torch, diffusers and
safetensors. Exit status 0: all agree, 1: something does not.
"""
import json
import pathlib
import subprocess
import sys

import diffusers
import torch
from safetensors.torch import load_file

WEIGHTS = "diffusion_pytorch_model.safetensors"


def answers(model, example):
    """What diffusers computes for the inputs of an example, by our names."""
    if isinstance(model, diffusers.AutoencoderKL):
        mean = model.encode(example["image"]).latent_dist.mean
        return {"mean": mean, "decoded": model.decode(mean).sample}
    arguments = {"sample": example["sample"], "timestep": example["timestep"]}
    if "token" in example:  # the class is the context; diffusers keeps the table outside
        arguments["encoder_hidden_states"] = example["token"]
    else:
        arguments |= {k: example[k] for k in ("class_labels", "encoder_hidden_states") if k in example}
    return {"out": model(**arguments).sample}


def check(folder):
    """Faults of one folder, which is then saved again by diffusers."""
    name = json.loads((folder / "config.json").read_text())["_class_name"]
    model, report = getattr(diffusers, name).from_pretrained(
        folder, low_cpu_mem_usage=False, local_files_only=True, output_loading_info=True)
    model.eval()
    faults = [f"{kind}: {report[kind]}" for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
              if report[kind]]
    example = load_file(folder / "example.safetensors")
    with torch.no_grad():
        for key, value in answers(model, example).items():
            expected = example["expected." + key]
            used = ((value - expected).abs() / (1e-5 + 1e-4 * expected.abs())).max().item()
            print(f"{folder.name:24} {key:8} tolerance used {used:.3f}")
            if not used <= 1:
                faults.append(f"'{key}' differs, {used:.3g} times the tolerance")
    ours = load_file(folder / WEIGHTS)
    model.save_pretrained(folder)
    theirs = load_file(folder / WEIGHTS)
    if ours.keys() != theirs.keys() or any(not torch.equal(ours[k], theirs[k]) for k in ours):
        faults.append("diffusers saved other tensors than it read")
    return [f"{folder.name}: {fault}" for fault in faults]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, out = sys.argv[1], pathlib.Path(sys.argv[2])
    torch.set_num_threads(1)
    subprocess.run([program, "write", out], check=True)
    folders = sorted(path for path in out.iterdir() if path.is_dir())
    faults = [fault for folder in folders for fault in check(folder)]
    if subprocess.run([program, "read", out]).returncode != 0:
        faults.append("what diffusers saved does not come back to us")
    print("\n".join(faults) or f"{len(folders)} models agree")
    sys.exit(1 if faults or not folders else 0)


main()
