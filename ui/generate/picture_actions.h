#pragma once

#include "core/base/expected.h"
#include "ui/client/api_types.h"

#include <QString>

#include <cstdint>
#include <memory>
#include <optional>

class QMimeData;
class QTemporaryDir;

namespace sg::ui {

/// "serigraph-1234567.png": the seed where the infotext has one.
QString suggestedName(const Picture &picture);

/// The seed of an infotext's last line.
std::optional<std::int64_t> seedOf(const QString &infotext);

/// Writes the file as the engine made it, byte for byte. Thread  any; waits for the disk. Errors  DiskFull.
Expected<void> savePicture(const Picture &picture, const QString &path);

/// What is copied or dragged out: the picture, its PNG bytes, and a file where `folder` can hold one.
std::unique_ptr<QMimeData> pictureMimeData(const Picture &picture, const QTemporaryDir *folder);

}  // namespace sg::ui
