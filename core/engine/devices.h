#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sg::engine {

/// A device that an engine can compute on.
struct Device {
    std::string id;    ///< "cpu", "cuda:0"
    std::string name;  ///< as its maker calls it
    std::string kind;  ///< "cpu" or "cuda"
    std::uint64_t memory = 0;
};

/// The CPU, and the GPUs that NVIDIA's driver names. The driver library is opened only where /dev/nvidia0 exists; torch
/// is not needed.
std::vector<Device> listDevices();

}  // namespace sg::engine
