#include "core/modelfile/model_file.h"

#include <cstdio>

// Reads the file of its one argument and says what came of it: the test of hostile files runs it once for each, to
// measure each alone.
int main(int count, char **arguments)
{
    if (count != 2) return 2;
    const auto index = sg::readModelFile(arguments[1]);
    if (index)
        std::printf("read %zu tensors\n", index->tensors().size());
    else
        std::printf("%s: %s\n", std::string(sg::errorName(index.error().code)).c_str(), index.error().message.c_str());
    return 0;
}
