#pragma once

#include "core/base/expected.h"
#include "core/params/param_spec.h"

#include <string_view>
#include <vector>

namespace sg {

/// What an installation allows; the parser refuses more, and the OpenAPI page shows it.
struct ParamLimits {
    std::int64_t side = 2048;  ///< of a picture, in pixels
    std::int64_t steps = 150;
    std::int64_t batchSize = 16;
    std::int64_t iterations = 100;
    std::int64_t pixelsPerTask = 1'000'000'000;  ///< width x height x batch_size x n_iter
};

/// THE parameter table. Built once, then passed by reference; a copy with another row or other limits is another table.
class ParamTable {
public:
    /// Every row there is, with the default limits: what is stored, sent to the engine and shown in the form.
    static const ParamTable &standard();
    /// The fields of txt2img and of img2img.
    static const ParamTable &textToImage();
    static const ParamTable &imageToImage();

    /// This table with the rows of one kind of task.
    ParamTable only(TaskKind kind) const;

    /// This table with the maxima that `limits` allows.
    ParamTable limited(const ParamLimits &limits) const;

    /// Adds a row. A key that is there already is a bug.
    void add(ParamSpec spec);

    const std::vector<ParamSpec> &specs() const { return m_specs; }
    const ParamSpec *find(std::string_view key) const;
    const ParamLimits &limits() const { return m_limits; }

private:
    std::vector<ParamSpec> m_specs;
    ParamLimits m_limits;
};

/// Whether `value` obeys `spec`: type, range, multiple, length, fixed choices.
/// Errors  InvalidArgument with subject = key, the rule in words: "steps must be a whole number between 1
/// and 150".
Expected<void> checkValue(const ParamSpec &spec, const ParamValue &value);

}  // namespace sg
