#pragma once
/// \file
/// An audit of synthetic images as a page to read and files to keep.

#include <filesystem>

#include "dermis/audit/audit.hpp"
#include "dermis/report/html.hpp"

namespace dermis {

/// Appends the audit to a page: findings first, then a section an audit.
void add_audit(HtmlReport& page, const AuditResults& results);

/// Writes OUT/audit.json and OUT/audit.html. `subtitle` says whose images were audited.
void write_audit(const std::filesystem::path& out, const AuditResults& results,
                 const std::string& subtitle);

}  // namespace dermis
