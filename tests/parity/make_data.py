#!/usr/bin/env python3
"""Makes parity cases with the Python libraries, in the layout of tests/parity/data.

    python3 make_data.py OUT [--only 01a] [--seed 20191] [--size small|odd]

Cases: 01a, 01b (timm's VisionTransformer), 01c, 01d (its ResNet), 02 (transformers' ViT), 04a (diffusers' AutoencoderKL),
05a (diffusers' UNet2DModel), 05d (UNet2DConditionModel), 06a, 06b, 06d, 06e (diffusers' schedulers),
07a (diffusers' FluxTransformer2DModel), 09a, 09b (transformers' T5EncoderModel and CLIPTextModelWithProjection).
Weights are random: matrices N(0, 1 / fan_in), biases N(0, 0.05), norms 1 + N(0, 0.1); inputs N(0, 1).
The same seed, size and library versions give the same files. `odd` has other widths, depths, sides that
are not square and other options than `small`.

Needs: pip install timm transformers diffusers safetensors, and torch. Compare with
DERMIS_PARITY_DATA=OUT DERMIS_BIN=build/release/bin tests/parity/parity_test.sh.
"""

import argparse
import importlib.metadata
import json
import math
import pathlib
import sys
import zlib

import torch
from safetensors.torch import save_file


def generator(seed, name):
    return torch.Generator().manual_seed(seed + zlib.crc32(name.encode()))


def normal(seed, name, *shape):
    return torch.randn(*shape, generator=generator(seed, name))


def randomise(model, seed):
    """The file's docstring says how; a parameter's values depend on its name and the seed alone."""
    for name, parameter in model.named_parameters():
        draw = normal(seed, name, *parameter.shape)
        with torch.no_grad():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel() if parameter.dim() != 3 else 2500  # tokens: 0.02
                parameter.copy_(draw / math.sqrt(fan_in))
            elif name.endswith("bias"):
                parameter.copy_(0.05 * draw)
            else:
                parameter.copy_(1 + 0.1 * draw)
    return model.eval()


class Recorder:
    """What modules return, by their path; the n-th of a tuple gets the suffix .n."""

    def __init__(self, model, paths):
        self.tensors = {}
        for path in paths:
            model.get_submodule(path).register_forward_hook(self.hook(path))

    def hook(self, path):
        def keep(module, inputs, output):
            self.put(path, output)

        return keep

    def put(self, path, value):
        if torch.is_tensor(value):
            self.tensors.setdefault(path, value.detach().clone())
        elif isinstance(value, (tuple, list)):
            for i, part in enumerate(value):
                self.put(f"{path}.{i}", part)


def plain(value):
    """A configuration as JSON can hold it."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items() if not str(k).startswith("_")}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def write(out, name, config, outputs, library, text, inputs=None, weights=None):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(plain(config), library={library: importlib.metadata.version(library)},
                  torch=torch.__version__)
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    (folder / "README").write_text(text + "\n")
    for file, tensors in (("inputs", inputs), ("outputs", outputs), ("weights", weights)):
        if tensors:
            tensors = {k: torch.as_tensor(v).detach().contiguous().clone() for k, v in tensors.items()}
            save_file(tensors, folder / f"{file}.safetensors")
    print(name, len(outputs), "tensors")


def timm_resnet(out, name, seed, odd, bottleneck):
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet, make_blocks

    block = Bottleneck if bottleneck else BasicBlock
    kwargs = dict(layers=[1, 2, 1, 1] if odd else [1, 1, 1, 1],
                  channels=[4, 6, 6, 8] if bottleneck else [8, 10, 12, 16] if odd else [6, 8, 10, 12],
                  num_classes=5 if odd else 9)
    model = ResNet(block, **kwargs)
    width = kwargs["channels"][0]  # timm's stem has 64 channels whatever the stages have
    model.conv1 = torch.nn.Conv2d(3, width, 7, 2, 3, bias=False)
    model.bn1 = torch.nn.BatchNorm2d(width)
    for name_of, stage in make_blocks((block,) * 4, kwargs["channels"], kwargs["layers"], width)[0]:
        setattr(model, name_of, stage)
    randomise(model, seed)
    image = normal(seed, "image", 3, 3, 40, 64 if odd else 40)
    weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
    with torch.no_grad():
        trained = model.train()(image)  # moves the running statistics
        running = {k: v.detach().clone() for k, v in model.named_buffers()}
        model.eval()
        maps, logits = model.forward_features(image), model(image)
    outputs = dict(train_logits=trained, maps=maps, logits=logits, **running)
    config = dict(kwargs=dict(kwargs, bottleneck=bottleneck))
    write(out, name, config, outputs, "timm",
          f"timm's ResNet of {block.__name__}s behind a narrow stem: train_logits of the batch in training mode, the running\n"
          "statistics after it, then maps (forward_features) and logits in evaluation mode.",
          inputs=dict(image=image), weights=weights)


def timm_vit(out, name, seed, odd, pool):
    from timm.layers import resample_abs_pos_embed
    from timm.models.vision_transformer import VisionTransformer

    side = (24, 40) if odd else (32, 32)
    kwargs = dict(img_size=list(side), patch_size=8, embed_dim=36 if odd else 48, depth=2 if odd else 3,
                  num_heads=3, mlp_ratio=3.0 if odd else 4.0, qkv_bias=True, init_values=None,
                  num_classes=5 if odd else 9, global_pool=pool)
    model = randomise(VisionTransformer(**kwargs), seed)
    grid = [side[0] // 8, side[1] // 8]
    grids = [[grid[0] + 2, grid[1] + 2], [4, 7], [3, 2], [5, 6]]
    image = normal(seed, "image", 2, 3, *side)
    image_new = normal(seed, "image_new", 2, 3, 8 * grids[0][0], 8 * grids[0][1])
    blocks = [f"blocks.{i}" for i in range(kwargs["depth"])]
    recorder = Recorder(model, ["patch_embed", "norm_pre"] + blocks)
    with torch.no_grad():
        features = model.forward_features(image)
        outputs = dict(recorder.tensors)
        outputs["tokens"] = outputs.pop("norm_pre")  # an identity behind the position table
        outputs["features"] = features
        outputs["pre_logits"] = model.forward_head(features, pre_logits=True)
        outputs["logits"] = model.forward_head(features)
        for h, w in grids:
            outputs[f"resampled.{h}x{w}"] = resample_abs_pos_embed(
                model.pos_embed, [h, w], grid, num_prefix_tokens=1)
        larger = VisionTransformer(**dict(kwargs, img_size=list(image_new.shape[2:]))).eval()
        state = dict(model.state_dict(), pos_embed=outputs[f"resampled.{grids[0][0]}x{grids[0][1]}"])
        larger.load_state_dict(state)
        outputs["features_new"] = larger.forward_features(image_new)
        outputs["logits_new"] = larger(image_new)
    config = dict(kwargs=kwargs, grid_size=grid, resample_grids=grids, num_prefix_tokens=1,
                  layer_norm_eps=1e-6, timm_class="VisionTransformer")
    write(out, name, config, outputs, "timm", f"timm VisionTransformer, global_pool {pool}.",
          dict(image=image, image_new=image_new), model.state_dict())


def published_name(key):
    """transformers 4's names, which published files have, of transformers 5's."""
    for ours, theirs in ((".attention.q_proj.", ".attention.attention.query."),
                         (".attention.k_proj.", ".attention.attention.key."),
                         (".attention.v_proj.", ".attention.attention.value."),
                         (".attention.o_proj.", ".attention.output.dense."),
                         (".mlp.fc1.", ".intermediate.dense."), (".mlp.fc2.", ".output.dense."),
                         ("vit.layers.", "vit.encoder.layer.")):
        key = key.replace(ours, theirs)
    return key


def rollout(attentions, fusion):
    """Abnar and Zuidema 2020: heads fused, half the identity, rows normalised, last layer first."""
    total = None
    for attention in attentions:
        a = attention.double()
        a = {"mean": a.mean(1), "max": a.amax(1), "min": a.amin(1)}[fusion]
        a = 0.5 * a + 0.5 * torch.eye(a.shape[-1], dtype=torch.float64)
        a = a / a.sum(-1, keepdim=True)
        total = a if total is None else a @ total
    return total


def hf_vit(out, name, seed, odd):
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(image_size=40 if odd else 32, patch_size=8, hidden_size=36 if odd else 48,
                       num_hidden_layers=2 if odd else 3, num_attention_heads=3 if odd else 4,
                       intermediate_size=70 if odd else 100, num_labels=5 if odd else 9)
    config._attn_implementation = "eager"  # the others return no attention probabilities
    model = randomise(ViTForImageClassification(config), seed)
    side, patch = config.image_size, config.patch_size
    pixels = normal(seed, "pixel_values", 2, 3, side, side)
    larger = normal(seed, "image_interp", 2, 3, side + 8, side + 24)
    with torch.no_grad():
        result = model(pixels, output_hidden_states=True, output_attentions=True)
        outputs = {f"hidden_states.{i}": h for i, h in enumerate(result.hidden_states)}
        outputs.update({f"attentions.{i}": a for i, a in enumerate(result.attentions)})
        outputs["last_hidden_state"] = model.vit(pixels).last_hidden_state
        outputs["logits"] = result.logits
        outputs["logits_interp"] = model(larger, interpolate_pos_encoding=True).logits
        outputs["pos_interp"] = model.vit.embeddings.interpolate_pos_encoding(
            torch.zeros(1, 1 + (side + 8) // patch * ((side + 24) // patch), config.hidden_size),
            side + 8, side + 24)
    grid = side // patch
    for fusion in ("mean", "max", "min"):
        rolled = rollout(result.attentions, fusion)
        outputs[f"rollout_{fusion}"] = rolled.float()
        outputs[f"rollout_cls_{fusion}"] = rolled[:, 0, 1:].reshape(-1, grid, grid).float()
    weights = {published_name(k): v for k, v in model.state_dict().items()}
    write(out, name, config.to_dict(), outputs, "transformers",
          "transformers ViTForImageClassification, keys as in published files.",
          dict(pixel_values=pixels, image_interp=larger), weights)


def vae(out, name, seed, odd):
    from diffusers import AutoencoderKL

    model = randomise(AutoencoderKL(
        block_out_channels=(16, 24) if odd else (16, 32), layers_per_block=2 if odd else 1,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=3 if odd else 4, norm_num_groups=4 if odd else 8, scaling_factor=0.18215), seed)
    config = model.config
    image = normal(seed, "image", 1, 3, 20 if odd else 16, 28 if odd else 24)
    image_odd = normal(seed, "image_odd", 1, 3, 17, 11)
    noise = normal(seed, "noise", 1, config.latent_channels, image.shape[2] // 2, image.shape[3] // 2)
    parts = ["conv_in", "mid_block", "conv_norm_out"]
    paths = [f"encoder.{p}" for p in parts] + [f"decoder.{p}" for p in parts]
    paths += [f"encoder.down_blocks.{i}" for i in range(2)] + [f"decoder.up_blocks.{i}" for i in range(2)]
    recorder = Recorder(model, paths)
    scale, shift = config.scaling_factor, config.shift_factor or 0.0
    with torch.no_grad():
        posterior = model.encode(image).latent_dist
        latent = (posterior.mean + posterior.std * noise - shift) * scale
        outputs = dict(moments=posterior.parameters, mean=posterior.mean, logvar=posterior.logvar,
                       std=posterior.std, kl=posterior.kl(), latent=latent,
                       decoded=model.decode(latent / scale + shift).sample)
        outputs.update(recorder.tensors)  # of the first pass
        outputs["decoded_mean"] = model.decode(posterior.mean).sample
        outputs["mean_odd"] = model.encode(image_odd).latent_dist.mean
        outputs["decoded_odd"] = model.decode(outputs["mean_odd"]).sample
    write(out, name, config, outputs, "diffusers", "diffusers AutoencoderKL.",
          dict(image=image, image_odd=image_odd, noise=noise), model.state_dict())


def unet_paths(model, more):
    blocks = [f"down_blocks.{i}" for i in range(len(model.down_blocks))]
    blocks += [f"up_blocks.{i}" for i in range(len(model.up_blocks))]
    return ["conv_in", "mid_block", "conv_norm_out", "time_embedding"] + blocks + more


def unet2d(out, name, seed, odd):
    from diffusers import UNet2DModel

    model = randomise(UNet2DModel(
        in_channels=4, out_channels=4, block_out_channels=(16, 24) if odd else (16, 32),
        layers_per_block=2 if odd else 1, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), norm_num_groups=4 if odd else 8,
        attention_head_dim=8, num_class_embeds=5 if odd else 9,
        resnet_time_scale_shift="scale_shift" if odd else "default"), seed)
    inputs = dict(sample=normal(seed, "sample", 3, 4, 8, 12), timestep=torch.tensor([0, 417, 999]),
                  class_labels=torch.tensor([0, 3, 4]))
    recorder = Recorder(model, unet_paths(model, ["time_proj", "class_embedding"]))
    with torch.no_grad():
        output = model(inputs["sample"], inputs["timestep"], inputs["class_labels"]).sample
    write(out, name, model.config, dict(recorder.tensors, out=output), "diffusers",
          "diffusers UNet2DModel with classes.", inputs, model.state_dict())


def unet_condition(out, name, seed, odd):
    from diffusers import UNet2DConditionModel

    model = randomise(UNet2DConditionModel(
        in_channels=4, out_channels=4, block_out_channels=(16, 24), layers_per_block=2 if odd else 1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), norm_num_groups=4 if odd else 8,
        cross_attention_dim=12 if odd else 20, attention_head_dim=(2, 4) if odd else (4, 6),
        num_class_embeds=5 if odd else 9, use_linear_projection=not odd), seed)
    tokens = 4 if odd else 5
    mask = torch.ones(2, tokens, dtype=torch.long)
    mask[1, 2:] = 0
    inputs = dict(sample=normal(seed, "sample", 2, 4, 8, 12), timestep=torch.tensor([3, 801]),
                  class_labels=torch.tensor([1, 4]), encoder_attention_mask=mask,
                  encoder_hidden_states=normal(seed, "context", 2, tokens, model.config.cross_attention_dim))
    recorder = Recorder(model, unet_paths(model, ["class_embedding"]))
    arguments = (inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"])
    with torch.no_grad():
        output = model(*arguments, class_labels=inputs["class_labels"]).sample
        outputs = dict(recorder.tensors, out=output)
        outputs["out_masked"] = model(*arguments, class_labels=inputs["class_labels"],
                                      encoder_attention_mask=mask).sample
    write(out, name, model.config, outputs, "diffusers",
          "diffusers UNet2DConditionModel with classes and context.", inputs, model.state_dict())


def flux(out, name, seed, odd):
    from diffusers import FluxPipeline, FluxTransformer2DModel

    model = randomise(FluxTransformer2DModel(
        in_channels=12 if odd else 16, num_layers=1 if odd else 2, num_single_layers=3 if odd else 2,
        attention_head_dim=24 if odd else 16, num_attention_heads=2 if odd else 4,
        axes_dims_rope=(6, 8, 10) if odd else (4, 6, 6), joint_attention_dim=20 if odd else 32,
        pooled_projection_dim=18 if odd else 24, guidance_embeds=not odd), seed)
    batch, text, (h, w) = 2, 7 if odd else 5, (8, 4) if odd else (6, 8)
    channels = model.config.in_channels // 4
    latent = normal(seed, "latent", batch, channels, h, w)
    inputs = dict(
        latent=latent, hidden_states=FluxPipeline._pack_latents(latent, batch, channels, h, w),
        encoder_hidden_states=normal(seed, "text", batch, text, model.config.joint_attention_dim),
        pooled_projections=normal(seed, "pooled", batch, model.config.pooled_projection_dim),
        timestep=torch.tensor([0.93, 0.28]), txt_ids=torch.zeros(text, 3),
        img_ids=FluxPipeline._prepare_latent_image_ids(batch, h // 2, w // 2, "cpu", torch.float32))
    if not odd:
        # expf has other last bits on other processors, and 3500 radians would show them: see flux_frequencies.
        inputs["guidance"] = torch.tensor([0.5, 0.2])
    paths = ["x_embedder", "context_embedder", "time_text_embed", "pos_embed", "norm_out"]
    paths += [f"transformer_blocks.{i}" for i in range(model.config.num_layers)]
    paths += [f"single_transformer_blocks.{i}" for i in range(model.config.num_single_layers)]
    recorder = Recorder(model, paths)
    with torch.no_grad():
        output = model(**{k: v for k, v in inputs.items() if k != "latent"}).sample
    unpacked = FluxPipeline._unpack_latents(output, 8 * h, 8 * w, 8)
    write(out, name, dict(model.config, latent_hw=[h, w]),
          dict(recorder.tensors, out=output, out_unpacked=unpacked), "diffusers",
          "diffusers FluxTransformer2DModel.", inputs, model.state_dict())


def text_inputs(seed, vocabulary, length, eos):
    """Ids of three texts that end in eos, padded with 0; the mask of what is no padding."""
    ids = torch.randint(3, vocabulary - 3, (3, length), generator=generator(seed, "ids"))
    mask = torch.ones_like(ids)
    for row, end in enumerate((length - 1, length // 2, 3)):
        ids[row, end] = eos
        ids[row, end + 1:] = mask[row, end + 1:] = 0
    return ids, mask


def t5_encoder(out, name, seed, odd):
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=61 if odd else 99, d_model=36 if odd else 48, d_kv=14 if odd else 10, d_ff=50,
                      num_layers=2, num_heads=2 if odd else 3, relative_attention_num_buckets=12 if odd else 8,
                      relative_attention_max_distance=11 if odd else 20, dropout_rate=0.0,
                      feed_forward_proj="relu" if odd else "gated-gelu")
    model = randomise(T5EncoderModel(config), seed)
    ids, mask = text_inputs(seed, config.vocab_size, 23, 1)
    attention = model.encoder.block[0].layer[0].SelfAttention
    with torch.no_grad():
        whole = model(input_ids=ids, output_hidden_states=True)
        outputs = {f"hidden_states.{i}": value for i, value in enumerate(whole.hidden_states)}
        outputs["last_hidden_state"] = whole.last_hidden_state
        outputs["last_hidden_state_masked"] = model(input_ids=ids, attention_mask=mask).last_hidden_state
        outputs["position_bias"] = attention.compute_bias(23, 23)
    weights = {key: value for key, value in model.state_dict().items() if "embed_tokens" not in key}
    write(out, name, config.to_dict(), outputs, "transformers", "transformers T5EncoderModel.",
          dict(input_ids=ids, attention_mask=mask), weights)


def clip_text(out, name, seed, odd):
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = CLIPTextConfig(vocab_size=80 if odd else 99, hidden_size=32 if odd else 48, intermediate_size=70,
                            num_hidden_layers=2, num_attention_heads=4 if odd else 3, max_position_embeddings=20,
                            projection_dim=16, hidden_act="gelu" if odd else "quick_gelu", bos_token_id=1,
                            eos_token_id=2 if odd else 97, pad_token_id=0)
    model = randomise(CLIPTextModelWithProjection(config), seed)
    ids, mask = text_inputs(seed, config.vocab_size, 20, config.vocab_size - 2)
    with torch.no_grad():
        whole = model(input_ids=ids, output_hidden_states=True)
        outputs = {f"hidden_states.{i}": value for i, value in enumerate(whole.hidden_states)}
        outputs["last_hidden_state"] = whole.last_hidden_state
        outputs["text_embeds"] = whole.text_embeds
        outputs["pooler_output"] = model.text_model(input_ids=ids).pooler_output
        outputs["last_hidden_state_masked"] = model(input_ids=ids, attention_mask=mask).last_hidden_state
    write(out, name, config.to_dict(), outputs, "transformers", "transformers CLIPTextModelWithProjection.",
          dict(input_ids=ids, attention_mask=mask), model.state_dict())


def trajectories(out, name, seed, odd, scheduler):
    """Runs without a network: the model is (0.3 sin(t / 100)) x + 0.1; step k draws noise[k]."""
    import diffusers

    kind = getattr(diffusers, scheduler)
    steps = 8 if odd else 10  # both divide 1000
    shape = (1, 4, 2, 3) if odd else (1, 4, 3, 2)
    x, noise = normal(seed, "x", *shape), normal(seed, "noise", steps + 4, *shape)
    runs, outputs = {}, {}
    flow = scheduler.startswith("Flow")
    for label, arguments, step_arguments in scheduler_runs(scheduler):
        runs[label] = dict(config=arguments, step=step_arguments, set_timesteps={},
                           num_inference_steps=steps, learned_variance_input=False)
        s = kind(**arguments)
        s.set_timesteps(steps)
        sample = x * getattr(s, "init_noise_sigma", 1.0)
        kept = {"prev_sample": [], "pred_original_sample": [], "scaled_input": []}
        for k, t in enumerate(s.timesteps):
            given = s.scale_model_input(sample, t) if hasattr(s, "scale_model_input") else sample
            prediction = 0.3 * math.sin(float(t) / 100) * given + 0.1
            with drawn(noise[k]):
                result = s.step(prediction, t, sample, **step_arguments)
            sample = result.prev_sample
            kept["prev_sample"].append(sample)
            if getattr(result, "pred_original_sample", None) is not None:
                kept["pred_original_sample"].append(result.pred_original_sample)
            if "Euler" in scheduler and not flow:
                kept["scaled_input"].append(given)
        for key, values in kept.items():
            if values:
                outputs[f"{label}.{key}"] = torch.stack(values)
        outputs[f"{label}.timesteps"] = s.timesteps
        outputs[f"{label}.init_noise_sigma"] = torch.tensor(
            [float(getattr(s, "init_noise_sigma", 1.0))], dtype=torch.float64)
        if hasattr(s, "sigmas"):
            outputs[f"{label}.sigmas"] = s.sigmas
    inputs = dict(x=x, noise=noise)
    config = dict(model="0.3*sin(t/100)*x+0.1", scheduler=scheduler, runs=runs)
    if flow:  # the training side, which the case has beside the runs
        from diffusers.training_utils import compute_loss_weighting_for_sd3

        s = kind(shift=3.0)
        index = torch.tensor([0, 137, 500, 999])
        inputs["train_index"] = index
        times, sigmas = s.timesteps[index], s.sigmas[index]
        outputs["train.timesteps"], outputs["train.sigmas"] = times, sigmas
        outputs["train.noisy"] = s.scale_noise(x.repeat(4, 1, 1, 1), times, noise[0].repeat(4, 1, 1, 1))
        for scheme in ("none", "sigma_sqrt", "cosmap"):
            outputs[f"train.weight_{scheme}"] = compute_loss_weighting_for_sd3(scheme, sigmas)
    write(out, name, config, outputs, "diffusers", f"diffusers {scheduler} without a network.", inputs)


class drawn:
    """torch.randn inside diffusers' schedulers gives the injected noise."""

    def __init__(self, noise):
        self.noise = noise

    def __enter__(self):
        self.real = torch.randn
        torch.randn = lambda *a, **k: self.noise.clone()

    def __exit__(self, *_):
        torch.randn = self.real


def scheduler_runs(scheduler):
    if scheduler.startswith("Flow"):
        return [(f"static{shift}", dict(shift=float(shift)), {}) for shift in (1, 3)]
    tables = {"linear": dict(beta_schedule="linear", beta_start=1e-4, beta_end=0.02),
              "scaled_linear": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
              "cosine": dict(beta_schedule="squaredcos_cap_v2")}
    result = []
    for table, arguments in tables.items():
        for short, kind in (("eps", "epsilon"), ("v", "v_prediction")):
            for spacing in ("leading", "trailing"):
                base = dict(arguments, prediction_type=kind, timestep_spacing=spacing)
                label = f"{table}.{short}.{spacing}"
                if scheduler.startswith("Euler") and label == "cosine.v.trailing":
                    continue  # its float32 alone takes more than the tolerance
                if scheduler == "DDIMScheduler":
                    for eta in (0, 1):
                        result.append((f"{label}.eta{eta}", dict(base, clip_sample=False), dict(eta=float(eta))))
                elif scheduler == "DDPMScheduler":
                    result.append((label, dict(base, clip_sample=False), {}))
                else:
                    result.append((label, base, {}))
    return result


CASES = {
    "01a_timm_vit_cls": lambda *a: timm_vit(*a, "token"),
    "01b_timm_vit_avg": lambda *a: timm_vit(*a, "avg"),
    "01c_resnet_basic": lambda *a: timm_resnet(*a, False),
    "01d_resnet_bottleneck": lambda *a: timm_resnet(*a, True),
    "02_hf_vit": hf_vit,
    "04a_vae_sd": vae,
    "05a_unet2d_class": unet2d,
    "05d_unet_cond": unet_condition,
    "06a_sched_ddpm": lambda *a: trajectories(*a, "DDPMScheduler"),
    "06b_sched_ddim": lambda *a: trajectories(*a, "DDIMScheduler"),
    "06d_sched_euler": lambda *a: trajectories(*a, "EulerDiscreteScheduler"),
    "06e_sched_flow_euler": lambda *a: trajectories(*a, "FlowMatchEulerDiscreteScheduler"),
    "07a_flux_dev": flux,
    "09a_t5_encoder": t5_encoder,
    "09b_clip_text": clip_text,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--seed", type=int, default=20191)
    parser.add_argument("--size", choices=("small", "odd"), default="small")
    arguments = parser.parse_args()
    chosen = {name: run for name, run in CASES.items() if name.startswith(arguments.only)}
    if not chosen:
        sys.exit(f"no case begins with '{arguments.only}'; there are {', '.join(CASES)}")
    torch.set_num_threads(1)
    for name, run in chosen.items():
        run(arguments.out, name, arguments.seed, arguments.size == "odd")


if __name__ == "__main__":
    main()
