// core/imaging against Pillow, OpenCV, scikit-image and blendmodes: equal to the byte (make_imaging.py made the data).
#include "core/base/error.h"
#include "core/imaging/blur.h"
#include "core/imaging/change_mask.h"
#include "core/imaging/colour.h"
#include "core/imaging/composite.h"
#include "core/imaging/inpaint_area.h"
#include "core/imaging/mask.h"
#include "core/imaging/resample.h"
#include "core/imaging/resize_mode.h"
#include "core/imaging/upscale_tiles.h"
#include "core/modelfile/safetensors.h"
#include "tests/support/check.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace sg;
using namespace sg::imaging;

/// The reference's pictures by name.
class Reference {
public:
    explicit Reference(const char *path = SG_SOURCE_DIR "/tests/parity/imaging/imaging.safetensors") : m_path(path)
    {
        const Expected<TensorIndex> index = readSafetensors(m_path);
        if (!index) throw std::runtime_error(index.error().message);
        m_index = *index;
    }
    Image image(const std::string &name) const
    {
        const TensorInfo &info = find(name);
        Image made(static_cast<int>(info.shape.at(1)), static_cast<int>(info.shape.at(0)),
                   static_cast<int>(info.shape.at(2)));
        read(info, made.pixels.data(), made.pixels.size());
        return made;
    }
    std::vector<std::int64_t> numbers(const std::string &name) const
    {
        const TensorInfo &info = find(name);
        std::vector<std::int64_t> made(static_cast<std::size_t>(info.elements()));
        read(info, made.data(), made.size() * sizeof made[0]);
        return made;
    }
    std::vector<float> floats(const std::string &name) const
    {
        const TensorInfo &info = find(name);
        std::vector<float> made(static_cast<std::size_t>(info.elements()));
        read(info, made.data(), made.size() * sizeof made[0]);
        return made;
    }
    /// "blur/4/RGB/in" without its last part, for all that begin so.
    std::vector<std::string> casesOf(const std::string &beginning) const
    {
        std::vector<std::string> found;
        for (const auto &[name, info] : m_index.tensors())
            if (name.starts_with(beginning + "/") && name.ends_with("/out"))
                found.push_back(name.substr(0, name.size() - 4));
        if (found.empty()) throw std::runtime_error("no cases of " + beginning);
        return found;
    }

private:
    const TensorInfo &find(const std::string &name) const
    {
        const TensorInfo *info = m_index.find(name);
        if (!info) throw std::runtime_error("no tensor " + name);
        return *info;
    }
    void read(const TensorInfo &info, void *to, std::size_t bytes) const
    {
        std::ifstream file(m_path, std::ios::binary);
        file.seekg(static_cast<std::streamoff>(info.offset));
        if (bytes != info.bytes || !file.read(static_cast<char *>(to), static_cast<std::streamsize>(bytes)))
            throw std::runtime_error("the reference could not be read");
    }
    std::string m_path;
    TensorIndex m_index;
};

const Reference &reference()
{
    static const Reference kReference;
    return kReference;
}

std::vector<std::string> parts(const std::string &name)
{
    std::vector<std::string> all;
    std::istringstream text(name);
    for (std::string part; std::getline(text, part, '/');)
        all.push_back(part);
    return all;
}

int largestDifference(const Image &a, const Image &b)
{
    if (a.width != b.width || a.height != b.height || a.channels != b.channels) return 256;
    int most = 0;
    for (std::size_t i = 0; i < a.pixels.size(); ++i)
        most = std::max(most, std::abs(a.pixels[i] - b.pixels[i]));
    return most;
}

void requireEqual(const std::string &name, const Image &made, const Image &wanted, int tolerance = 0)
{
    const int difference = largestDifference(made, wanted);
    if (difference > tolerance)
        sg::test::failed(__FILE__, __LINE__, name + " differs by " + std::to_string(difference));
}

SG_CASE(resamplesAsPillow)
{
    const std::map<std::string, Filter> filters{{"nearest", Filter::Nearest},   {"box", Filter::Box},
                                                {"bilinear", Filter::Bilinear}, {"hamming", Filter::Hamming},
                                                {"bicubic", Filter::Bicubic},   {"lanczos", Filter::Lanczos}};
    for (const std::string &name : reference().casesOf("resample")) {
        const Image wanted = reference().image(name + "/out");
        requireEqual(name,
                     resample(reference().image(name + "/in"), wanted.width, wanted.height, filters.at(parts(name)[1])),
                     wanted);
    }
}

SG_CASE(refusesSizesThatAreNone)
{
    for (const auto &[width, height] : {std::pair(0, 4), std::pair(4, -1)}) {
        bool refused = false;
        try {
            resample(Image(4, 4, 3), width, height, Filter::Lanczos);
        } catch (const Failure &failure) {
            refused = failure.error.code == ErrorCode::InvalidArgument;
        }
        CHECK(refused);
    }
}

SG_CASE(resizesInEachMode)
{
    for (const std::string &name : reference().casesOf("mode")) {
        const Image wanted = reference().image(name + "/out");
        const auto mode = static_cast<ResizeMode>(std::stoi(parts(name)[1]));
        requireEqual(name, resized(reference().image(name + "/in"), mode, wanted.width, wanted.height), wanted);
    }
    const Image same(5, 3, 3);
    CHECK(resized(same, ResizeMode::LatentUpscale, 64, 64) == same);
}

SG_CASE(blursAsPillowAndOpenCv)
{
    for (const std::string &name : reference().casesOf("blur"))
        requireEqual(name, gaussianBlur(reference().image(name + "/in"), std::stod(parts(name)[1])),
                     reference().image(name + "/out"));
    for (const std::string &name : reference().casesOf("mask_blur"))
        requireEqual(name,
                     maskBlur(reference().image(name + "/in"), std::stod(parts(name)[1]), std::stod(parts(name)[2])),
                     reference().image(name + "/out"));
}

SG_CASE(fillsAndOverlaysAsPillow)
{
    for (int n = 0; n < 3; ++n) {
        const std::string name = "inpaint/" + std::to_string(n) + "/";
        const auto of = [&](const char *part) { return reference().image(name + part); };
        requireEqual(name + "filled", filledFromSurroundings(of("picture"), of("mask")), of("filled"));
        const Image overlay = overlayOf(of("picture"), of("mask"));
        requireEqual(name + "overlay", overlay, of("overlay"));
        requireEqual(name + "whole", withOverlay(of("drawn"), overlay), of("whole"));
        const std::vector<std::int64_t> box = reference().numbers(name + "box");
        const auto at = [&](std::size_t i) { return static_cast<int>(box.at(i)); };
        requireEqual(name + "placed", withOverlay(of("part"), overlay, {at(0), at(1), at(2), at(3)}), of("placed"));
    }
}

SG_CASE(whatHasChangedShows)
{
    const Reference changes(SG_SOURCE_DIR "/tests/parity/imaging/change_mask.safetensors");
    const std::vector<float> moved = changes.floats("moved");
    const Image mask = changes.image("mask");
    for (const std::string name : {"defaults", "masked", "between", "narrow"}) {
        const std::vector<float> numbers = changes.floats(name + "_numbers");
        const Image made = changeMask(moved, mask, {numbers.at(0), numbers.at(1), numbers.at(2), numbers.at(3)});
        const Image expected = changes.image(name);
        CHECK(made.width == expected.width && made.height == expected.height && made.channels == 1);
        // One may be cut off below a whole number and the other not.
        for (std::size_t i = 0; i < made.pixels.size(); ++i)
            CHECK(std::abs(made.pixels[i] - expected.pixels[i]) <= 1);
    }
}

SG_CASE(readsMasksAndFlattens)
{
    for (const std::string &name : reference().casesOf("mask"))
        requireEqual(name, maskFromPicture(reference().image(name + "/in")), reference().image(name + "/out"));
    requireEqual("flatten", flattened(reference().image("flatten/0/in"), 255, 255, 255),
                 reference().image("flatten/0/out"));
}

SG_CASE(takesColoursOver)
{
    for (const std::string &name : reference().casesOf("colour"))
        requireEqual(name, withColoursOf(reference().image(name + "/picture"), reference().image(name + "/target")),
                     reference().image(name + "/out"), 1);
}

// Worked by hand from the rule: the shorter direction grows, half the rest to the bottom or right, pushed back inside.
SG_CASE(expandsRegionsInsideThePicture)
{
    CHECK((expandedTo({10, 10, 30, 20}, 64, 64, 100, 100) == Region{10, 5, 30, 25}));
    CHECK((expandedTo({10, 0, 30, 9}, 64, 64, 100, 100) == Region{10, 0, 30, 20}));
    CHECK((expandedTo({10, 91, 30, 100}, 64, 64, 100, 100) == Region{10, 80, 30, 100}));
    CHECK((expandedTo({0, 10, 9, 30}, 64, 64, 100, 100) == Region{0, 10, 20, 30}));
    CHECK((expandedTo({90, 10, 100, 50}, 64, 64, 100, 100) == Region{60, 10, 100, 50}));
    CHECK((expandedTo({0, 0, 50, 20}, 64, 64, 50, 30) == Region{0, 0, 50, 30}));
}

SG_CASE(findsTheMaskedRegion)
{
    Image mask(20, 10, 1);
    CHECK(!maskedRegion(mask, 4));
    mask.row(4)[6] = 1;
    mask.row(7)[12] = 255;
    CHECK((maskedRegion(mask, 0) == Region{6, 4, 13, 8}));
    CHECK((maskedRegion(mask, 5) == Region{1, 0, 18, 10}));
    CHECK(inverted(mask).row(7)[12] == 0);
    CHECK(doubled(mask).row(4)[6] == 2 && doubled(mask).row(7)[12] == 255);
}

/// In the place of a network, as in make_upscalers.py.
Image stretched(const Image &tile, int scale)
{
    Image made(tile.width * scale, tile.height * scale, 3);
    for (int y = 0; y < made.height; ++y)
        for (int x = 0; x < 3 * made.width; ++x)
            made.row(y)[x] =
                static_cast<std::uint8_t>(tile.row(y / scale)[x / 3 / scale * 3 + x % 3] + x / 3 * 3 + 5 * y);
    return made;
}

std::int64_t hashed(const Image &image)
{
    std::uint64_t value = 0xcbf29ce484222325u;
    for (const std::uint8_t byte : image.pixels)
        value = (value ^ byte) * 0x100000001b3u;
    return static_cast<std::int64_t>(value);
}

SG_CASE(enlargesInTilesAsA1111)
{
    const char *const path = SG_SOURCE_DIR "/tests/parity/imaging/upscale_tiles.safetensors";
    const Reference tiles(path);
    std::size_t cases = 0;
    const Expected<TensorIndex> index = readSafetensors(path);
    for (const auto &[name, info] : index->tensors()) {
        const std::vector<std::string> part = parts(name);
        const auto number = [&](std::size_t i) { return std::stoi(part.at(i)); };
        Image ground(number(1), number(2), 3);
        for (int y = 0; y < ground.height; ++y)
            for (int x = 0; x < 3 * ground.width; ++x)
                ground.row(y)[x] = static_cast<std::uint8_t>(7 * (x / 3) + 13 * y + 31 * (x % 3) + x / 3 * y % 17 * 11);
        const int scale = std::stoi(part.back());
        std::int64_t calls = 0, planned = 0;
        const Enlarge enlarge = [scale, &calls](const Image &tile) {
            ++calls;
            return stretched(tile, scale);
        };
        UpscaleTiles grid;
        const bool own = part.front() == "tiles";
        if (own && part.size() == 6) grid = {number(3), number(4)};
        const Image made = own ? enlargeInTiles(ground, scale, grid, enlarge)
                               : enlargeTo(ground, number(3), number(4), scale, grid, enlarge);
        if (!own)
            for (const Enlarging &one : enlargingsTo(ground.width, ground.height, number(3), number(4), scale, grid))
                planned += one.tiles;
        CHECK(own || calls == planned);
        if (hashed(made) != tiles.numbers(name).at(0)) sg::test::failed(name.c_str(), 0, "another picture");
        ++cases;
    }
    CHECK(cases == 17);
}

SG_CASE(enlargesNoFurtherThanPicturesMayBe)
{
    const auto never = [](const Image &tile) { return stretched(tile, 8); };
    try {
        (void)enlargeTo(Image(2056, 8, 3), 4096, 16, 8, {}, never);
        CHECK(false);
    } catch (const Failure &failure) {
        CHECK(failure.error.code == ErrorCode::InvalidArgument && failure.error.subject == "hr_upscaler");
    }
}

}  // namespace

SG_TEST_MAIN
