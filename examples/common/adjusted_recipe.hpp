#pragma once
/// \file
/// Recipes other than DerMAE's, changed by the common options.

#include "program.hpp"

namespace dermis {

/// `recipe` with --config, then --image-size; validated.
template <class Recipe>
Recipe adjusted(const Program& program, Recipe recipe) {
  if (!program.config.empty())
    options_from_json(recipe, Json::read(program.config), program.config.string());
  if (program.image_size > 0) recipe.data.image_size = program.image_size;
  validate(recipe);
  return recipe;
}

}  // namespace dermis
