"""Students on dermis::edge beside onnxruntime and OpenVINO, one image at a time, interleaved in one process.

usage: edge.py LIBRARY EDGE_CLI FOLDER [--json FILE] [--threads 1,2] [--rounds 30]

FOLDER holds what edge_models wrote: <name>.<precision>.edge and .onnx. Prints a line a case and writes a list of
{name, threads, dtype, ours_s, peers: {name: seconds}, best_peer, ratio}, medians; a ratio above 1: we are faster. Peers that
compute in bf16 are listed, but the best is one that computes in what the line says. Last, {name, dtype, start_s,
peak_bytes} of a fresh process that loads a model, decodes FOLDER/photo.jpg and answers.
"""
import argparse
import ctypes
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime


class Ours:
    def __init__(self, library, file, threads):
        self.api = ctypes.CDLL(str(library))
        self.api.dermis_edge_error.restype = ctypes.c_char_p
        self.model = ctypes.c_void_p()
        if self.api.dermis_edge_load(str(file).encode(), threads, None, ctypes.byref(self.model)):
            raise RuntimeError(self.api.dermis_edge_error().decode())
        self.shape = (self.api.dermis_edge_exits(self.model), self.api.dermis_edge_class_count(self.model))
        self.side = self.api.dermis_edge_image_size(self.model)
        self.logits = np.empty(self.shape, np.float32)

    def __call__(self, pixels):
        address = ctypes.c_void_p
        if self.api.dermis_edge_logits(self.model, address(pixels.ctypes.data), address(self.logits.ctypes.data)):
            raise RuntimeError(self.api.dermis_edge_error().decode())
        return self.logits


class OpenVINO:
    def __init__(self, file, threads, precision):
        import openvino
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision,
                    "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        model = core.read_model(str(file))
        model.reshape({"pixels": [1, *(axis.get_length() for axis in list(model.input().partial_shape)[1:])]})
        self.request = core.compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, pixels):
        return self.request.infer({0: pixels})[0]


class OnnxRuntime:
    def __init__(self, file, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def __call__(self, pixels):
        return self.session.run(None, {"pixels": pixels})[0]


def own_dynamic_quantization(fp32):
    """onnxruntime's own int8 of the fp32 model, what its users would run."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    target = fp32.with_suffix(".quantized.onnx")
    if not target.exists():
        quantize_dynamic(str(fp32), str(target), weight_type=QuantType.QInt8, per_channel=True,
                         op_types_to_quantize=["MatMul"])
    return target


def interleaved(runs, pixels, rounds):
    """Medians in seconds. Turns alternate, so that what else the machine does meets all alike. Threads that wait for
    more to do without sleeping would take a core from the next in turn: a pause ends that, a call wakes one's own."""
    times = {name: [] for name in runs}
    for turn in range(rounds + 3):
        for name, run in runs.items():
            time.sleep(0.02)
            run(pixels)
            start = time.perf_counter()
            run(pixels)
            if turn >= 3:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def case(library, folder, name, dtype, threads, rounds):
    ours = Ours(library, folder / f"{name}.{dtype}.edge", threads)
    pixels = np.random.default_rng(0).normal(size=(1, 3, ours.side, ours.side)).astype(np.float32)
    runs = {"ours": ours}
    if dtype == "fp32":
        file = folder / f"{name}.fp32.onnx"
        runs["onnxruntime fp32"] = OnnxRuntime(file, threads)
        runs["openvino f32"] = OpenVINO(file, threads, "f32")
        for peer, run in runs.items():
            difference = float(np.abs(run(pixels).ravel() - ours(pixels).ravel()).max())
            assert difference < 1e-3, f"{peer} says something else than we do: {difference}"
        runs["openvino bf16"] = OpenVINO(file, threads, "bf16")
    else:
        runs["onnxruntime dynamic int8"] = OnnxRuntime(own_dynamic_quantization(folder / f"{name}.fp32.onnx"), threads)
        runs["onnxruntime int8 of write_onnx"] = OnnxRuntime(folder / f"{name}.int8.onnx", threads)
    medians = interleaved(runs, pixels, rounds)
    mine = medians.pop("ours")
    best_peer = min((peer for peer in medians if "bf16" not in peer), key=medians.get)
    result = {"name": name, "threads": threads, "dtype": dtype, "ours_s": round(mine, 6),
              "peers": {peer: round(seconds, 6) for peer, seconds in medians.items()}, "best_peer": best_peer,
              "ratio": round(medians[best_peer] / mine, 3)}
    print(json.dumps(result), flush=True)
    return result


# Starts a program from a process smaller than it: a child's peak begins with its parent's size.
STARTER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
                       file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_maxrss * 1024)
sys.exit(status != 0)
"""


def cold_start(program, folder, name, dtype, rounds):
    command = [sys.executable, "-ISc", STARTER, str(program), str(folder / f"{name}.{dtype}.edge"), str(folder / "photo.jpg")]
    starts, peaks = zip(*(map(float, subprocess.check_output(command).split()) for _ in range(rounds)))
    result = {"name": name, "dtype": dtype, "start_s": round(statistics.median(starts), 6), "peak_bytes": int(max(peaks))}
    print(json.dumps(result), flush=True)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library", type=pathlib.Path)
    parser.add_argument("edge_cli", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    onnxruntime.set_default_logger_severity(3)
    names = sorted({file.name.split(".")[0] for file in arguments.folder.glob("*.fp32.edge")})
    results = [case(arguments.library, arguments.folder, name, dtype, threads, arguments.rounds)
               for name in names for threads in map(int, arguments.threads.split(",")) for dtype in ("fp32", "int8")]
    results += [cold_start(arguments.edge_cli, arguments.folder, name, dtype, arguments.rounds)
                for name in names for dtype in ("fp32", "int8")]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


main()
