// Uses one thing of each folder of dermis::core, so that every static dependency has to be found
// and linked.
#include <cstdio>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/io/image.hpp"
#include "dermis/metrics/classification.hpp"
#include "dermis/version.hpp"

static_assert(__cplusplus == 201703L, "dermis::core is for C++17");

int main() {
  const dermis::Image image{2, 1, {255, 0, 0, 0, 255, 0}};
  const dermis::Image decoded = dermis::decode_image(dermis::encode_png(image), "two pixels");
  const double accuracy = dermis::accuracy({0, 1}, {0, 1});
  std::printf("dermis %s: %s\n", dermis::version,
              dermis::Json::parse("[1]", "text").dump().c_str());
  return decoded.rgb == image.rgb && accuracy == 1.0 ? 0 : 1;
}
