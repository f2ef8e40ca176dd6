#pragma once

#include "core/base/json.h"

#include <QByteArray>
#include <QImage>
#include <QMetaType>
#include <QString>
#include <QStringList>

#include <cstdint>
#include <optional>
#include <vector>

namespace sg::ui {

/// One row of GET /models.
struct ModelInfo {
    QString type;
    QString name;
    QString path;
    QString hash;  ///< sha256 in hex; empty until hashed
    QString status;
    QString reason;
    QString family;
    QString variant;  ///< of a checkpoint, in English: "inpainting", "refiner, v prediction", …
    QString title;
    QString description;
    std::int64_t size = 0;
    int width = 0;  ///< native size in pixels; 0 = unknown
    int height = 0;
    Json choices = Json::object();  ///< what the user said of it

    bool operator==(const ModelInfo &) const = default;
    bool isCheckpoint() const { return type == QLatin1String("stableDiffusion"); }
    bool usable() const { return status != QLatin1String("unusable") && status != QLatin1String("deleted"); }
};

/// The answer of POST /txt2img, async.
struct Submitted {
    QString taskId;
    QString status;
    QStringList notes;
};

/// GET /tasks/{id}/progress, or one `progress` event.
struct TaskProgressInfo {
    QString status;
    double fraction = 0;  ///< of the whole task, 0..1
    double etaSeconds = 0;
    double rate = 0;  ///< steps per second
    int step = 0;
    int steps = 0;
    int position = 0;               ///< tasks ahead of a waiting one
    std::optional<double> loading;  ///< how much of the model is read, 0..1
    QByteArray preview;             ///< JPEG, decoded from base64; from polling only
};

/// GET /tasks/{id}/result.
struct TaskResult {
    QString taskId;
    QString status;
    QString message;
    QString code;
    QStringList links;  ///< signed; to the server or to the store
};

/// A finished picture: the file as the engine wrote it, and what a window shows of it.
struct Picture {
    QByteArray png;
    QImage image;      ///< RGB32, ready to be drawn
    QImage thumbnail;  ///< at most 128 pixels a side
    QString infotext;  ///< of the PNG's `parameters` chunk
};

/// GET /server.
struct ServerState {
    bool listening = false;
    QString address;
    int port = 0;
    QString url;
    std::int64_t requests = 0;
    QString version;
    QString error;

    bool operator==(const ServerState &) const = default;
};

/// GET /model-folders.
struct FolderState {
    QStringList folders;
    bool scanning = false;
    int done = 0;  ///< files looked at, where the server says so
    int total = 0;
};

/// One line of GET /logs.
struct LogEntry {
    std::uint64_t number = 0;
    std::int64_t milliseconds = 0;  ///< since 1970, UTC
    QString level;
    QString category;
    QString message;
};

}  // namespace sg::ui
