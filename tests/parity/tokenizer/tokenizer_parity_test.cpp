#include "core/base/json.h"
#include "core/text/clip_tokenizer.h"

#include <QTest>

#include <filesystem>
#include <fstream>
#include <string>

/// The ids of 2,000 strings, as the reference gives them (tests/parity/make_tokenizer.py).
class TokenizerParityTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void idsAreTheReferences()
    {
        int strings = 0;
        for (const auto &entry : std::filesystem::directory_iterator(SG_PARITY_DATA)) {
            if (entry.path().extension() != ".jsonl") continue;
            std::ifstream file(entry.path());
            for (std::string line; std::getline(file, line); ++strings) {
                const sg::Expected<sg::Json> json = sg::parseJson(line);
                QVERIFY2(json.has_value(), line.c_str());
                const auto text = (*json)[0].get<std::string>();
                const auto expected = (*json)[1].get<std::vector<std::int32_t>>();
                const std::vector<std::int32_t> ids = sg::clipTokens(text);
                if (ids != expected) {
                    const std::string got = sg::dumpJson(sg::Json(ids));
                    QFAIL((line + " but got " + got).c_str());
                }
            }
        }
        QCOMPARE(strings, 2000);
    }
};

QTEST_APPLESS_MAIN(TokenizerParityTest)
#include "tokenizer_parity_test.moc"
