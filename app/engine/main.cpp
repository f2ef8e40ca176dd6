// serigraph-engine: one slot (the CPU or a GPU) that computes. docs/protocol.md says how to talk to it.
#include "core/base/log.h"
#include "core/base/version.h"
#include "core/engine/backend_module.h"
#include "core/engine/engine_server.h"
#include "core/engine/null_backend.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace {

constexpr int kExitUsage = 2;

struct Arguments {
    bool null = false;
    int nullStepMs = 0;
    sg::engine::BackendOptions torch;
    std::string wildcards;
};

const char *const kUsage =
    "usage: serigraph-engine [--null [--null-step-ms N]] [--threads N] [--device cpu|cuda:N] [--wildcards DIR]\n"
    "                        [--memory MIB]\n"
    "Reads framed requests on stdin and writes framed events on stdout (docs/protocol.md).\n";

std::optional<int> number(std::string_view text)
{
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > 1'000'000) return std::nullopt;
    return value;
}

/// The arguments, or the one that is wrong.
std::optional<std::string> parse(int count, char **words, Arguments &arguments)
{
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (word == "--null") {
            arguments.null = true;
            continue;
        }
        if (word != "--null-step-ms" && word != "--threads" && word != "--device" && word != "--wildcards" &&
            word != "--memory")
            return "unknown argument " + word;
        if (++i == count) return word + " needs a value";
        const std::string value = words[i];
        if (word == "--wildcards") {
            arguments.wildcards = value;
            continue;
        }
        if (word == "--device") {
            if (value != "cpu" && (!value.starts_with("cuda:") || !number(value.substr(5))))
                return "--device must be cpu or cuda:N";
            arguments.torch.device = value;
            continue;
        }
        const std::optional<int> parsed = number(value);
        if (!parsed) return word + " needs a number, not " + value;
        if (word == "--memory")
            arguments.torch.budget = static_cast<std::uint64_t>(*parsed) << 20;
        else
            (word == "--threads" ? arguments.torch.threads : arguments.nullStepMs) = *parsed;
    }
    return std::nullopt;
}

/// A private copy of `fd`, which itself then leads to `replacement`: no library can read or write a frame.
int takeOver(int fd, int replacement)
{
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0 || dup2(replacement, fd) < 0) return -1;
    return own;
}

/// Starts this program again with malloc's settings for large tensors, which it reads before main(): one heap that
/// keeps what is freed, in huge pages. Otherwise every tensor of more than 32 MiB is memory that the system has to
/// clear, on a virtual machine often even to find, again and again: a fifth of the time of a picture. ModelStore and
/// idle() give the heap's free part back. Returns when they are set already, by whomever.
void restartWithHeap(char **words)
{
    const char *const name = "GLIBC_TUNABLES";
    if (getenv(name)) return;
    setenv(name,
           "glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:"
           "glibc.malloc.hugetlb=1",
           0);
    // By its name, which is what the process is then called.
    std::error_code problem;
    execv(std::filesystem::read_symlink("/proc/self/exe", problem).c_str(), words);
    std::perror("serigraph-engine: running without settings for malloc");
}

/// Whether the process that started this one, as far as it said so, is still there.
bool supervisorLives()
{
    const char *const parent = getenv("SERIGRAPH_SUPERVISOR");
    return !parent || std::to_string(getppid()) == parent;
}

}  // namespace

int main(int count, char **words)
{
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (word == "--help" || word == "--version") {
            if (word == "--help")
                std::fputs(kUsage, stdout);
            else
                std::printf("serigraph-engine %s\n", std::string(sg::version()).c_str());
            return 0;
        }
    }
    if (const std::optional<std::string> wrong = parse(count, words, arguments)) {
        std::fprintf(stderr, "serigraph-engine: %s\n%s", wrong->c_str(), kUsage);
        return kExitUsage;
    }
    // An engine without its supervisor would hold memory for nobody. stdin's end says the same, but only to a thread
    // that reads.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!supervisorLives()) return 0;  // it was gone before the signal could be asked for
    if (!arguments.null) restartWithHeap(words);
    signal(SIGPIPE, SIG_IGN);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int in = takeOver(STDIN_FILENO, nothing);
    const int out = takeOver(STDOUT_FILENO, STDERR_FILENO);
    if (in < 0 || out < 0) {
        std::perror("serigraph-engine: stdin and stdout must be open");
        return kExitUsage;
    }
    const sg::engine::BackendFactory factory = [&]() -> sg::Expected<std::unique_ptr<sg::engine::Backend>> {
        if (!arguments.null) return sg::engine::loadTorchBackend(arguments.torch);
        return std::make_unique<sg::engine::NullBackend>(std::chrono::milliseconds(arguments.nullStepMs),
                                                         arguments.torch.budget);
    };
    return sg::engine::EngineServer(in, out, factory, arguments.wildcards).run();
}
