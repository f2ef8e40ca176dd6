#pragma once

#include "core/modelfile/tensor_index.h"

#include <fstream>
#include <sstream>
#include <string>
#include <utility>

/// The lists of names and shapes in tests/data, as headers of files.
namespace sg::test {

inline TensorIndex readKeyList(const std::string &path)
{
    TensorIndex::Tensors tensors;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("#")) continue;
        std::istringstream words(line);
        std::string name, type, shape;
        words >> name >> type >> shape;
        TensorInfo info;
        info.dtype = dtypeFromName(type).value();
        std::istringstream sizes(shape == "-" ? "" : shape);
        for (std::string size; std::getline(sizes, size, 'x');)
            info.shape.push_back(std::stoll(size));
        tensors[name] = info;
    }
    return TensorIndex(path, 0, {}, std::move(tensors));
}

// One of the sections of family_keys.txt, whose lines stand for many tensors each (tests/parity/make_family_keys.py).
inline TensorIndex readFamily(const std::string &family)
{
    TensorIndex::Tensors tensors;
    std::ifstream file(std::string(SG_TEST_DATA) + "/family_keys.txt");
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("= ")) inside = line.starts_with("= " + family + " ");
        if (!inside || line.starts_with("=")) continue;
        std::istringstream words(line);
        std::string pattern, shape, all;
        words >> pattern >> shape >> all;
        TensorInfo info;
        info.dtype = DType::F16;
        std::istringstream sizes(shape);
        for (std::string size; std::getline(sizes, size, 'x');)
            info.shape.push_back(std::stoll(size));
        std::istringstream each(all.empty() ? ";" : all);
        for (std::string numbers; std::getline(each, numbers, ';');) {
            std::string name;
            std::istringstream places(numbers);
            for (const char letter : pattern) {
                std::string number;
                if (letter == '#')
                    std::getline(places, number, ',');
                else
                    number = letter;
                name += number;
            }
            tensors[name] = info;
        }
    }
    return TensorIndex(family, 0, {}, std::move(tensors));
}

}  // namespace sg::test
