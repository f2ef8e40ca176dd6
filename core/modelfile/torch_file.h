#pragma once

#include "core/modelfile/byte_source.h"
#include "core/modelfile/tensor_index.h"

namespace sg {

/// Reads what torch.save wrote: a zip archive of stored entries (since torch 1.6), or the older row of pickles with the
/// weights behind them. Names are the keys of nested containers, joined by dots; a container "state_dict", "params_ema"
/// or "params" at the top stands for the whole. Numbers and short texts become metadata.
/// Errors  UnusableFile with the rule that is broken: those of readZipDirectory() and Pickle, big-endian weights,
///         TorchScript programs, storages that are missing or of another length.
Expected<TensorIndex> readTorchZip(const ByteSource &source);
Expected<TensorIndex> readTorchLegacy(const ByteSource &source);

}  // namespace sg
