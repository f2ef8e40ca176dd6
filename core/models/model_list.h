#pragma once

#include "core/models/model_record.h"

#include <optional>
#include <string_view>
#include <vector>

namespace sg {

/// A record with the folder that it came from, before names are settled.
struct ListedModel {
    ModelRecord record;
    std::string root;
};

/// Gives each record a name that is unique within its type (the first keeps it, a later one gets its folder's name in
/// front, then its extension, then a number) and sorts: checkpoints first, then by type, within a type by name.
std::vector<ModelRecord> settleNames(std::vector<ListedModel> models);

/// The record that `id` means: name, name with extension, "name.safetensors [abcdef1234]", short or full hash, last
/// part of a name; exact before case-insensitive, usable before unusable. Empty type: any.
std::optional<ModelRecord> findModel(const std::vector<ModelRecord> &models, std::string_view id,
                                     std::string_view type);

}  // namespace sg
