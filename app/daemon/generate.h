#pragma once

#include "app/daemon/progress_bar.h"

#include "core/control/task.h"
#include "core/server/services.h"

#include <QObject>

#include <string>
#include <vector>

namespace sg::daemon {

/// One `serigraphd generate`: starts the services without a listener, submits one task, shows its progress, writes its
/// pictures. Thread  main.
class GenerateRun final : public QObject {
    Q_OBJECT
public:
    struct Wish {
        Json body;  ///< of POST /txt2img or, with init_images, /img2img; a model there is a name that some picture has
        std::string model;   ///< name or path; empty: the body's, or the first there is
        std::string output;  ///< "out.png", or with {n} and {seed}
        bool json = false;
        std::vector<std::string> settings;  ///< the fields that --set names
    };

    GenerateRun(ServicesConfig config, Wish wish);
    int run();

    /// Ctrl+C: cancels the task; a second time gives up at once.
    void interrupt();

private:
    void waitForModels();
    void submit();
    void ended(const Expected<TaskRecord> &task);
    void readNext();
    void finish(int code, const Error &error = {});
    std::string fileName(std::size_t index) const;
    void print(int code, const Error &error) const;

    Services m_services;
    Wish m_wish;
    ProgressBar m_bar;
    TaskRecord m_task;
    std::vector<std::string> m_files;
    bool m_submitted = false;
    bool m_interrupted = false;
};

}  // namespace sg::daemon
