#pragma once
/// \file
/// ONNX export of edge files, for those who have a runtime already. No Python, no protobuf: the
/// bytes are written here.

#include <filesystem>

namespace dermis::edge {

/// Writes the network of an edge file as an ONNX model, atomically: opset 17, input `pixels`
/// [batch, 3, S, S] normalised as the metadata `mean` and `std` say, output `logits`
/// [batch, classes], of a student that answers at every depth [batch, exits, classes]. Batch is
/// dynamic, GELU is Erf. Weights of int8 files stay bytes: DynamicQuantizeLinear and MatMulInteger
/// (a scale per output channel; what goes in has one scale for all tokens, as that operator has it,
/// where ours has one a token), with an fp32 convolution for the patches; fp16 becomes fp32.
/// \throws std::runtime_error naming a file that is no edge file or cannot be written
void write_onnx(const std::filesystem::path& edge_file, const std::filesystem::path& target);

}  // namespace dermis::edge
