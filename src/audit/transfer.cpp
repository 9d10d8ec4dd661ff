#include "dermis/audit/transfer.hpp"

#include "arm.hpp"
#include "kinds.hpp"

namespace dermis {

TransferAudit transfer_audit(const PixelSet& real, const PixelSet& synthetic, const PixelSet& test,
                             const ClassifierOptions& options, const StageContext& context,
                             const Encoder& encoder) {
  check_argument(real.classes == synthetic.classes && real.classes == test.classes,
                 "[transfer] expected the same classes in the same order in all sets");
  detail::check_synthetic(real, false, "transfer", "a training part");
  detail::check_synthetic(synthetic, true, "transfer", "a synthetic set");
  detail::check_synthetic(test, false, "transfer", "a test part");
  TransferAudit audit;
  audit.real_images = real.class_counts();
  audit.synthetic_images = synthetic.class_counts();
  for (std::size_t c = 0; c < real.classes.size(); ++c)
    check_argument(audit.real_images[c] == 0 || audit.synthetic_images[c] > 0,
                   "[transfer] expected synthetic images of every class, got none of ",
                   real.classes[c], ", of which ", audit.real_images[c], " are real");

  auto same = options;
  same.real_share = 0;  // otherwise an all-synthetic set would be drawn in another way
  const auto normalization = measure_normalization(real);
  const auto on_real =
      detail::train_arm(real, normalization, same, context, "transfer_real", encoder);
  const auto on_synthetic =
      detail::train_arm(synthetic, normalization, same, context, "transfer_synthetic", encoder);
  audit.real_to_real = evaluate(on_real, test);
  audit.synthetic_to_real = evaluate(on_synthetic, test);
  audit.real_to_synthetic = evaluate(on_real, synthetic);
  const auto& first = audit.real_to_real;
  audit.loss = balanced_accuracy_difference(first.labels, first.predictions,
                                            audit.synthetic_to_real.predictions, first.lesions);
  return audit;
}

Json to_json(const TransferAudit& audit) {
  Json real = Json::object(), synthetic = Json::object();
  const auto& classes = audit.real_to_real.classes;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    real[classes[c]] = audit.real_images[c];
    synthetic[classes[c]] = audit.synthetic_images[c];
  }
  return Json::object(
      {{"real_to_real", to_json(audit.real_to_real)},
       {"synthetic_to_real", to_json(audit.synthetic_to_real)},
       {"real_to_synthetic", to_json(audit.real_to_synthetic)},
       {"loss", to_json(audit.loss)},
       {"images", Json::object({{"real", std::move(real)}, {"synthetic", std::move(synthetic)}})}});
}

}  // namespace dermis
