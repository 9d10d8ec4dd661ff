#!/usr/bin/env python3
"""Our Flux with an adapter of kohya, sampled by us, against diffusers.

    python round_trip_flux.py PROGRAM DERMAFLUX OUT

PROGRAM is the built round_trip_flux, DERMAFLUX the program; OUT is a folder to write into. diffusers loads the folder that we saved without a
missing or unexpected tensor, reads the adapter with its own conversion, and samples with FluxPipeline; the latents must
agree within |a - b| <= 1e-4 + 1e-4 |b|. What diffusers saves again must hold the same tensors bit for bit. Last, `dermaflux generate`
draws from the whole set of files (transformer, autoencoder, both text encoders with their tokenizers, adapter), and
its pixels must be diffusers' within the same tolerance and rounding. Needs torch, diffusers, transformers and safetensors. Exit status 0: all agree, 1: something does not.
"""
import pathlib
import subprocess
import sys

import numpy
import PIL.Image
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers
from safetensors.torch import load_file
from transformers import CLIPTextModel, PreTrainedTokenizerFast, T5EncoderModel

WEIGHTS = "diffusion_pytorch_model.safetensors"
SIZE = dict(height=32, width=48)
PROMPTS = ["a melanoma, asymmetric about both axes", "a benign mole with blue-grey globules"]


def merge(transformer, path):
    """W += B A, with the names and scales that diffusers' conversion gives."""
    adapter = _convert_kohya_flux_lora_to_diffusers(load_file(path))
    downs = {k for k in adapter if k.endswith(".lora_A.weight")}
    for key in downs:
        module = key.removesuffix(".lora_A.weight")
        weight = transformer.get_submodule(module.removeprefix("transformer.")).weight
        weight += adapter[module + ".lora_B.weight"].float() @ adapter[key].float()
    return len(downs)


def pipeline(transformer, vae=None, text_encoder=None, tokenizer=None, text_encoder_2=None, tokenizer_2=None):
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15)
    pipe = FluxPipeline(scheduler=scheduler, vae=vae, text_encoder=text_encoder, tokenizer=tokenizer,
                        text_encoder_2=text_encoder_2, tokenizer_2=tokenizer_2, transformer=transformer)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def sampled(pipe, example, **more):
    return pipe(prompt_embeds=example["text"], pooled_prompt_embeds=example["pooled"], latents=example["noise"],
                num_inference_steps=4, guidance_scale=3.5, output_type="latent", **SIZE, **more).images


def heun(transformer, example):
    """diffusers' Heun scheduler knows no dynamic shift, so it is given the shifted times."""
    times = torch.linspace(1, 0.25, 4, dtype=torch.float64)
    pull = torch.exp(torch.tensor(0.5 + 0.65 * (example["noise"].shape[1] - 256) / 3840, dtype=torch.float64))
    sigmas = (pull / (pull + 1 / times - 1)).float()
    scheduler = FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(4)
    both = torch.cat([sigmas[:1], sigmas[1:].repeat_interleave(2), torch.zeros(1)])
    scheduler.sigmas, scheduler.timesteps = both, both[:-1] * 1000
    x = example["noise"]
    ids = FluxPipeline._prepare_latent_image_ids(1, 2, 3, "cpu", torch.float32)
    for t in scheduler.timesteps:
        velocity = transformer(hidden_states=x, timestep=(t / 1000).expand(len(x)), guidance=torch.full((len(x),), 3.5),
                               pooled_projections=example["pooled"], encoder_hidden_states=example["text"],
                               txt_ids=torch.zeros(example["text"].shape[1], 3), img_ids=ids).sample
        x = scheduler.step(velocity, t, x).prev_sample
    return x


def whole(transformer, folder):
    """The whole pipeline; the transformer has its adapter merged."""
    def tokenizer(name, **more):
        return PreTrainedTokenizerFast(tokenizer_file=str(folder / name / "tokenizer.json"), **more)
    parts = dict(local_files_only=True, torch_dtype=torch.float32)
    return pipeline(transformer, AutoencoderKL.from_pretrained(folder / "vae", **parts),
                    CLIPTextModel.from_pretrained(folder / "text_encoder", **parts),
                    tokenizer("tokenizer", pad_token="<|endoftext|>", eos_token="<|endoftext|>", model_max_length=77),
                    T5EncoderModel.from_pretrained(folder / "text_encoder_2", **parts),
                    tokenizer("tokenizer_2", pad_token="<pad>", eos_token="</s>", model_max_length=512))


def drawn_by(dermaflux, out):
    """The images of `dermaflux generate`, [N, H, W, 3] of 0..255."""
    (out / "prompts.txt").write_text("".join(prompt + "\n" for prompt in PROMPTS))
    subprocess.run([dermaflux, "generate", "--flux", out / "flux.safetensors", "--ae", out / "vae", "--text", out,
                    "--adapter", out / "kohya.safetensors", "--prompts", out / "prompts.txt", "--steps", "4", "--fp32",
                    "--image-size", "32", "--seed", "3", "--out", out / "drawn"], check=True)
    return numpy.stack([numpy.asarray(PIL.Image.open(p)) for p in sorted((out / "drawn").rglob("*.png"))])


def main():
    program, dermaflux, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    subprocess.run([program, out], check=True)
    example = load_file(out / "example.safetensors")
    transformer, report = FluxTransformer2DModel.from_pretrained(
        out / "transformer", low_cpu_mem_usage=False, local_files_only=True, output_loading_info=True)
    faults = [f"{kind}: {report[kind]}" for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if report[kind]]
    transformer.save_pretrained(out / "again")
    ours, theirs = load_file(out / "transformer" / WEIGHTS), load_file(out / "again" / WEIGHTS)
    if ours.keys() != theirs.keys() or any(not torch.equal(ours[k], theirs[k]) for k in ours):
        faults.append("diffusers saved other tensors than it read")
    with torch.no_grad():
        plain = sampled(pipeline(transformer), example)
        print("adapters merged by diffusers:", merge(transformer, out / "kohya.safetensors"))
        answers = {
            "guidance": sampled(pipeline(transformer), example),
            "true_guidance": sampled(pipeline(transformer), example, true_cfg_scale=2.0,
                                     negative_prompt_embeds=example["negative_text"],
                                     negative_pooled_prompt_embeds=example["negative_pooled"]),
            "heun": heun(transformer, example),
        }
    for name, value in answers.items():
        expected = example["expected." + name]
        used = ((value - expected).abs() / (1e-4 + 1e-4 * expected.abs())).max().item()
        print(f"{name:14} tolerance used {used:.3f}")
        if not used <= 1:
            faults.append(f"'{name}' differs, {used:.3g} times the tolerance")
    if (answers["guidance"] - plain).abs().max() < 1e-2:
        faults.append("the adapter does not show")
    with torch.no_grad():
        theirs = whole(transformer, out)(prompt=PROMPTS, latents=example["program_noise"], num_inference_steps=4,
                                         guidance_scale=3.5, height=32, width=32, output_type="np").images
    ours = drawn_by(dermaflux, out)
    off = float(numpy.abs(ours - 255 * theirs).max()) - 0.5  # levels beyond rounding
    print(f"dermaflux generate: {ours.shape}, at most {max(off, 0):.4f} levels of 255 beyond rounding")
    if ours.shape != theirs.shape or not off <= 255e-4:
        faults.append(f"dermaflux generate differs by {off:.3g} levels beyond rounding")
    if numpy.ptp(ours[0].astype(int) - ours[1]) < 8:
        faults.append("both prompts give the same image")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
