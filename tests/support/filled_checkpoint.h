#pragma once

#include "core/base/json.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sg::test {

/// One number of the token tables that tests/parity/make_families.py leaves out of its files: `place` is the row times
/// the width plus the column.
inline float tokenTableValue(std::uint64_t place)
{
    return static_cast<float>((place * 2654435761U & 0xffffffffU) >> 16) / 32768.0f - 1.0f;
}

/// A copy of a small safetensors file in a folder of its own, with the token tables that it lacks and a header and
/// data that `change` may have edited first.
class FilledCheckpoint {
public:
    struct Table {
        std::string name;
        std::uint64_t width;
    };
    using Change = std::function<void(Json &header, std::string &data)>;

    explicit FilledCheckpoint(const std::filesystem::path &source, const std::vector<Table> &tables = {},
                              const Change &change = {})
    {
        constexpr std::uint64_t kVocabulary = 49408;
        std::ifstream in(source, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        std::uint64_t length = 0;
        for (int i = 7; i >= 0; --i)
            length = length << 8 | static_cast<unsigned char>(bytes.at(static_cast<std::size_t>(i)));
        Json header = parseJson(std::string_view(bytes).substr(8, length)).value();
        // The tables come first, so that they lie at multiples of four.
        std::string data;
        Json added = Json::object();
        for (const Table &table : tables) {
            const std::uint64_t begin = data.size(), count = kVocabulary * table.width;
            std::vector<float> values;
            for (std::uint64_t i = 0; i < count; ++i)
                values.push_back(tokenTableValue(i));
            data.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
            added[table.name] = {
                {"dtype", "F32"}, {"shape", {kVocabulary, table.width}}, {"data_offsets", {begin, data.size()}}};
        }
        for (auto &[name, tensor] : header.items())
            if (name != "__metadata__")
                for (Json &offset : tensor["data_offsets"])
                    offset = offset.get<std::uint64_t>() + data.size();
        header.update(added);
        data += std::string_view(bytes).substr(8 + length);
        if (change) change(header, data);
        write(header.dump(), data);
    }
    ~FilledCheckpoint() { std::filesystem::remove_all(m_path.parent_path()); }
    FilledCheckpoint(const FilledCheckpoint &) = delete;
    FilledCheckpoint &operator=(const FilledCheckpoint &) = delete;
    const std::filesystem::path &path() const { return m_path; }

private:
    void write(std::string header, const std::string &data)
    {
        header.resize((header.size() + 7) / 8 * 8, ' ');
        std::string folder = (std::filesystem::temp_directory_path() / "sg-filled-XXXXXX").string();
        if (!::mkdtemp(folder.data())) throw std::runtime_error("no temporary folder");
        m_path = std::filesystem::path(folder) / "checkpoint.safetensors";
        std::ofstream out(m_path, std::ios::binary);
        for (int i = 0; i < 8; ++i)
            out.put(static_cast<char>(header.size() >> (8 * i) & 0xff));
        out << header << data;
    }

    std::filesystem::path m_path;
};

}  // namespace sg::test
