#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/models/model_record.h"

#include <filesystem>
#include <string>

namespace sg {

class ModelLibrary;

namespace server {

/// A1111's options: a small honest set that means something here, and whatever clients post besides (Open WebUI posts
/// the whole GET back). Kept in options.json of the data folder. Thread  the server's.
class WebuiOptions {
public:
    WebuiOptions(std::filesystem::path file, const ModelLibrary &library);

    /// What GET /sdapi/v1/options answers.
    Json all() const;

    /// Takes a flat object, all of it or nothing. What is a row of the parameter table is checked by it; null is its
    /// default. Errors  InvalidArgument (no object, an unknown checkpoint, a value that its row refuses: subject = the
    /// option), TooLarge, DiskFull or Internal (not stored).
    Expected<void> change(const Json &values);

    /// The stored ones that are rows of the parameter table, by the rows' names.
    Json settings() const;

    /// The checkpoint for requests that name none: the option's, else the first of the library; empty when there is
    /// none.
    std::string checkpoint() const;

private:
    std::filesystem::path m_file;
    const ModelLibrary &m_library;
    Json m_values = Json::object();
};

/// "name.safetensors [0123456789]", as A1111 shows a checkpoint; without the hash until it is known.
std::string checkpointTitle(const ModelRecord &model);

}  // namespace server
}  // namespace sg
