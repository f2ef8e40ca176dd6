#pragma once

#include "core/engine/torch/model_store.h"

namespace sg::engine {

/// Makes a resident model what the request wants it to be: its LoRAs merged, its VAE in place. Says by warnings what
/// is not there or does not match, by facts what the pictures' infotext should name. Returns the request without the
/// prompt's tags. Errors  throws Failure as AdapterSet::apply and ExternalVae::use.
GenerationRequest useCompanions(ModelStore::Resident &resident, const ModelRef &model, GenerationRequest request,
                                GenerationSink &sink, const std::stop_token &stop);

}  // namespace sg::engine
