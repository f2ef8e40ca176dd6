#include "core/base/error.h"

#include <array>
#include <utility>

namespace sg {
namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 16> kNames{{
    {ErrorCode::InvalidArgument, "invalid_argument"},
    {ErrorCode::NotFound, "not_found"},
    {ErrorCode::Conflict, "conflict"},
    {ErrorCode::Forbidden, "forbidden"},
    {ErrorCode::Expired, "expired"},
    {ErrorCode::TooLarge, "too_large"},
    {ErrorCode::UnusableFile, "unusable_file"},
    {ErrorCode::ModelChanged, "model_changed"},
    {ErrorCode::QueueFull, "queue_full"},
    {ErrorCode::Cancelled, "cancelled"},
    {ErrorCode::NonFinite, "non_finite"},
    {ErrorCode::OutOfMemory, "out_of_memory"},
    {ErrorCode::DiskFull, "disk_full"},
    {ErrorCode::EngineFailed, "engine_failed"},
    {ErrorCode::Unavailable, "unavailable"},
    {ErrorCode::Internal, "internal"},
}};

}  // namespace

std::string_view errorName(ErrorCode code)
{
    for (const auto &[known, name] : kNames)
        if (known == code) return name;
    return "internal";
}

ErrorCode errorFromName(std::string_view name)
{
    for (const auto &[code, known] : kNames)
        if (known == name) return code;
    return ErrorCode::Internal;
}

}  // namespace sg
