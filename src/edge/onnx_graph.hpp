#pragma once
/// \file
/// A graph of ONNX operators, written as it is built (onnx.proto, IR version 8).

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/check.hpp"
#include "protobuf.hpp"

namespace dermis::edge {

enum class OnnxType { Float = 1, Int8 = 3, Int64 = 7 };

/// Axes of an input or an output; a text is a size that is not fixed.
struct OnnxAxis {
  OnnxAxis(std::int64_t size_) : size(size_) {}
  OnnxAxis(const char* name_) : name(name_) {}
  std::int64_t size = 0;
  std::string name;
};

/// Attribute of a node.
struct OnnxAttribute {
  OnnxAttribute(const char* name, float value) {
    message.text(1, name).number(2, value).integer(20, 1);
  }
  OnnxAttribute(const char* name, int value) {
    message.text(1, name).integer(3, value).integer(20, 2);
  }
  OnnxAttribute(const char* name, const std::vector<std::int64_t>& values) {
    message.text(1, name);
    for (const auto value : values) message.integer(8, value);
    message.integer(20, 7);
  }
  Message message;
};

class OnnxGraph {
 public:
  /// A node with one output, whose name is returned.
  std::string node(const char* type, const std::vector<std::string>& inputs,
                   const std::vector<OnnxAttribute>& attributes = {}) {
    return nodes(type, inputs, 1, attributes)[0];
  }
  std::vector<std::string> nodes(const char* type, const std::vector<std::string>& inputs,
                                 int outputs, const std::vector<OnnxAttribute>& attributes = {}) {
    Message node;
    for (const auto& input : inputs) node.text(1, input);
    std::vector<std::string> names;
    for (int i = 0; i < outputs; ++i) {
      names.push_back(text(type, "_", count_++));
      node.text(2, names.back());
    }
    node.text(3, names[0] + "_node").text(4, type);
    for (const auto& attribute : attributes) node.message(5, attribute.message);
    graph_.message(1, node);
    return names;
  }

  template <class T>
  std::string constant(const std::string& name, OnnxType type,
                       const std::vector<std::int64_t>& shape, const std::vector<T>& values) {
    Message tensor;
    for (const auto extent : shape) tensor.integer(1, extent);
    tensor.integer(2, static_cast<int>(type)).text(8, name);
    tensor.text(9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
    graph_.message(5, tensor);
    return name;
  }
  /// A constant of integers: a shape, axes.
  std::string integers(const std::vector<std::int64_t>& values) {
    return constant(text("integers_", count_++), OnnxType::Int64,
                    {static_cast<std::int64_t>(values.size())}, values);
  }
  std::string index(std::int64_t value) {
    return constant(text("index_", count_++), OnnxType::Int64, {},
                    std::vector<std::int64_t>{value});
  }
  std::string number(float value) {
    return constant(text("number_", count_++), OnnxType::Float, {}, std::vector<float>{value});
  }

  void input(const std::string& name, std::initializer_list<OnnxAxis> axes) {
    graph_.message(11, value(name, axes));
  }
  /// `from` under the name `name`.
  void output(const std::string& name, const std::string& from,
              std::initializer_list<OnnxAxis> axes) {
    graph_.message(
        1, Message().text(1, from).text(2, name).text(3, name + "_node").text(4, "Identity"));
    graph_.message(12, value(name, axes));
  }

  /// The bytes of a model file.
  std::string model(const std::string& version,
                    const std::vector<std::pair<std::string, std::string>>& metadata) const {
    Message graph = graph_;
    graph.text(2, "dermis");
    Message model;
    model.integer(1, 8).text(2, "dermis").text(3, version).message(7, graph);
    model.message(8, Message().text(1, "").integer(2, 17));
    for (const auto& [key, text] : metadata)
      model.message(14, Message().text(1, key).text(2, text));
    return model.bytes();
  }

 private:
  static Message value(const std::string& name, std::initializer_list<OnnxAxis> axes) {
    Message shape;
    for (const auto& axis : axes)
      shape.message(
          1, axis.name.empty() ? Message().integer(1, axis.size) : Message().text(2, axis.name));
    const Message tensor =
        Message().integer(1, static_cast<int>(OnnxType::Float)).message(2, shape);
    return Message().text(1, name).message(2, Message().message(1, tensor));
  }

  Message graph_;
  int count_ = 0;
};

}  // namespace dermis::edge
