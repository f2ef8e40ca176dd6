#pragma once

#include "core/base/expected.h"
#include "core/params/param_table.h"
#include "core/server/http/http_limits.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace sg {

class ModelLibrary;
class TaskService;

struct ServicesConfig {
    std::filesystem::path dataDir;
    std::vector<std::string> modelFolders;  ///< for this run; folders that were added before come from the database
    std::filesystem::path engineProgram;    ///< serigraph-engine
    std::vector<std::string> engineArguments;
    std::filesystem::path wildcards;            ///< folder of __name__ files; empty: wildcards/ of the data folder
    ParamTable table = ParamTable::standard();  ///< the rows; the engine program must know the same ones
    ParamLimits limits;

    bool listenPublic = false;  ///< the listener for other programs, from the start; PATCH /server switches it later
    bool publicIsOptional = false;  ///< an address that cannot be had leaves it off, with the reason in GET /server
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;    ///< 0 takes a free one
    bool allowRemote = false;  ///< without a login, other addresses than loopback need this explicit word
    std::string
        publicUrl;  ///< what signed links begin with behind a proxy; empty: the address that the request came to
    std::vector<std::string> allowedHosts;  ///< further Host values ("name" or "name:port")
    bool listenPrivate = true;              ///< the window's own listener on 127.0.0.1 with a random token
    http::HttpLimits http;
};

/// The whole server side of the desktop and the daemon: data folder lock, database, model library, task queue with its
/// engine, and the two HTTP listeners, each part in the thread where it belongs. Thread  made, started and stopped in
/// one thread (main); the strings are constant between start() and stop().
class Services {
public:
    explicit Services(ServicesConfig config);
    ~Services();  ///< stops

    /// Returns when both listeners answer (the engine may still be starting: GET /readyz tells).
    /// Errors  Conflict (another process holds the data folder), Forbidden (a remote address without allowRemote),
    /// Unavailable (address or
    ///         port cannot be had), and what the database says.
    Expected<void> start();

    /// Orderly: no new requests, the running task back to waiting, the engine ended, within 5 s. Twice is once.
    void stop();

    std::string privateUrl() const;    ///< "http://127.0.0.1:40123", no slash at the end
    std::string privateToken() const;  ///< sent as "Authorization: Bearer <token>" with every request to privateUrl()
    std::string publicUrl() const;     ///< of the listener for others as it is now; empty when off

    ModelLibrary &library();                   ///< after start()
    TaskService &tasks();                      ///< after start()
    std::filesystem::path stylesFile() const;  ///< styles.csv of the data folder
    const ParamTable &table() const;           ///< with this server's limits

private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace sg
