#pragma once
/// \file
/// The report's page, apart from its figures.

#include "dermis/report/dermae_report.hpp"

namespace dermis {

void write_dermae_page(const std::filesystem::path& path, const DermaeResults& results);

}  // namespace dermis
