#pragma once

#include "core/base/expected.h"
#include "core/params/param_table.h"
#include "core/server/http/http_limits.h"
#include "core/storage/signed_links.h"

#include <QObject>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sg {

class ModelLibrary;
class TaskService;

namespace server {

struct ApiServerConfig {
    std::filesystem::path optionsFile;
    std::filesystem::path stylesFile = {};  ///< styles.csv
    ParamTable table;
    http::HttpLimits limits;
    bool listenPublic = false;
    bool publicIsOptional = false;
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    bool allowRemote = false;
    std::string publicUrl;
    std::vector<std::string> allowedHosts;
    bool listenPrivate = false;
};

/// The HTTP API: the routes of docs/api.md on two listeners, one for everybody (off, or on an address) and one for this
/// machine's window (127.0.0.1, a free port, a random token). Thread  made, used and deleted in the http thread;
/// publicUrl() and privateUrl() from any.
class ApiServer final : public QObject {
    Q_OBJECT
public:
    ApiServer(ApiServerConfig config, ModelLibrary &library, TaskService &tasks, SignedLinks links);
    ~ApiServer() override;

    /// Errors  Forbidden (remote address without allowRemote), Unavailable (the address or port cannot be had),
    /// InvalidArgument.
    Expected<void> start();
    /// No new connections; requests that wait are answered 503.
    void stop();
    /// Connections that are still open.
    int connectionCount() const;

    std::string publicUrl() const;
    std::string privateUrl() const;
    const std::string &privateToken() const;

private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace server
}  // namespace sg
