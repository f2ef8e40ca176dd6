#pragma once

#include "core/base/json.h"
#include "core/models/model_record.h"

#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// The files that a run may need beside its checkpoint, for the engine's generate message (docs/protocol.md): `loras`
/// and `embeddings`, each {name, path, hash}, of every record one of whose names stands in `texts`, `vae`, which may be
/// a tiny autoencoder, and `taesd`: all of those, by their records' names. A file
/// has the names A1111 gives it: its own without extension, the one below its folder, and what its training called it.
/// Nothing is parsed here: too many files only make the message longer. Texts with wildcards ("__") may come to mean
/// any file, so all are listed then, up to 2,000 of each kind.
struct CompanionQuery {
    std::vector<std::string> texts;  ///< prompts of all kinds
    std::string vae = "Automatic";   ///< a name; "Automatic": the file beside the checkpoint; "None": its own
    std::string upscaler = {};       ///< hires fix's or the start pictures', perhaps not a file's name
    bool taesd = false;              ///< whether previews want a tiny autoencoder

    bool namesVae() const { return !vae.empty() && vae != "Automatic" && vae != "None"; }
};
Json modelCompanions(const std::vector<ModelRecord> &models, const ModelRecord &checkpoint,
                     const CompanionQuery &query);

}  // namespace sg
