/// \file
/// timm's ResNet.

#include "case.hpp"
#include "dermis/models/resnet.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;

StateDict timm_resnet(const Case& c) {
  const auto& kwargs = c.config.at("kwargs");
  ResNet resnet(ResNetOptions{.widths = kwargs.at("channels").get<std::vector<std::int64_t>>(),
                              .depths = kwargs.at("layers").get<std::vector<std::int64_t>>(),
                              .bottleneck = kwargs.at("bottleneck").get<bool>(),
                              .num_classes = kwargs.at("num_classes").get<std::int64_t>()},
                ParameterOptions{.init = false});
  load_state_dict(*resnet, c.weights(), "weights.safetensors");
  const auto image = parity::at(c.inputs(), "image");
  StateDict out{{"train_logits", resnet->forward(image)}};
  for (const auto& item : resnet->named_buffers())
    out.emplace_back(item.key(), item.value().clone());
  resnet->eval();
  const auto maps = resnet->forward_maps(image);
  out.emplace_back("maps", maps);
  out.emplace_back("logits", resnet->classify(maps));
  return out;
}

const Register _[] = {{"01c", timm_resnet}, {"01d", timm_resnet}};

}  // namespace
