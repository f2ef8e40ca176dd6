#include "core/text/embedding_names.h"

#include "core/text/clip_tokenizer.h"
#include "core/text/prompt_chunks.h"

#include <QTest>

using namespace sg;

namespace {

using Places = std::vector<EmbeddingPlace>;

PromptChunks chunks(const std::string &prompt, const EmbeddingNames &names)
{
    const Expected<PromptChunks> made = chunkPrompt(prompt, {.embeddings = &names});
    return made ? *made : PromptChunks{};
}

std::string words(int count)
{
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "a ";
    return text;
}

}  // namespace

class EmbeddingNamesTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void theLongestNameIsFound()
    {
        EmbeddingNames names;
        names.add("bad", 2);
        names.add("bad hands", 3);
        names.add("bad hands five", 4);
        const auto found = names.at(clipTokens("Bad HANDS everywhere"));
        QVERIFY(found && found->embedding == 1 && found->tokens == 2);
        QCOMPARE(names.at(clipTokens("bad hands five"))->embedding, std::size_t{2});
        QCOMPARE(names.at(clipTokens("bad"))->tokens, std::size_t{1});
        QVERIFY(!names.at(clipTokens("hands bad")));
        QVERIFY(!names.at({}));
    }

    void namesOfManyTokensMatchAsTokens()
    {
        EmbeddingNames names;
        names.add("easynegative_v2", 1);
        // Within a word the tokens are others.
        QVERIFY(names.at(clipTokens("easynegative_v2, blurry")));
        QVERIFY(!names.at(clipTokens("easynegative_v")));
        EmbeddingNames nameless;
        QCOMPARE(nameless.add("", 1), std::size_t{0});
        QVERIFY(!nameless.at(clipTokens("a")));
    }

    void ofTwoWithTheSameTokensTheFirstCounts()
    {
        EmbeddingNames names;
        names.add("Style", 1);
        names.add("style", 5);
        QCOMPARE(names.at(clipTokens("style"))->embedding, std::size_t{0});
    }

    void vectorsTakePlacesAndCount()
    {
        EmbeddingNames names;
        names.add("style", 4);
        const PromptChunks made = chunks("a (style:1.5) b", names);
        QCOMPARE(made.chunks.size(), std::size_t{1});
        QCOMPARE(made.chunks[0].embeddings, (Places{{2, 0}}));
        QCOMPARE(made.tokenCount, std::int64_t{6});
        for (std::size_t row = 2; row < 6; ++row) {
            QCOMPARE(made.chunks[0].tokens[row], 0);
            QCOMPARE(made.chunks[0].weights[row], 1.5F);
        }
        QCOMPARE(made.chunks[0].weights[6], 1.0F);
        QCOMPARE(*countTokens("a (style:1.5) b", &names), std::int64_t{6});
        QCOMPARE(*countTokens("a (style:1.5) b"), std::int64_t{3});
    }

    void oneThatDoesNotFitBeginsAChunk()
    {
        EmbeddingNames names;
        names.add("style", 4);
        QCOMPARE(chunks(words(71) + "style", names).chunks.size(), std::size_t{1});
        const PromptChunks made = chunks(words(72) + "style b", names);
        QCOMPARE(made.chunks.size(), std::size_t{2});
        QVERIFY(made.chunks[0].embeddings.empty());
        QCOMPARE(made.chunks[1].embeddings, (Places{{1, 0}}));
        QCOMPARE(made.tokenCount, std::int64_t{80});
    }

    void moreVectorsThanAChunkHasAreCut()
    {
        EmbeddingNames names;
        names.add("style", 1000);
        QCOMPARE(names.vectors(0), kChunkTokens);
        const PromptChunks made = chunks("a style b", names);
        QCOMPARE(made.chunks.size(), std::size_t{3});
        QCOMPARE(made.chunks[1].embeddings, (Places{{1, 0}}));
    }

    /// As in A1111: words after the last comma move on, the place of an embedding among them does not.
    void placesDoNotMoveWithTheComma()
    {
        EmbeddingNames names;
        names.add("style", 2);
        const PromptChunks made = chunks(words(69) + ", style b c d e", names);
        QCOMPARE(made.chunks.size(), std::size_t{2});
        QCOMPARE(made.chunks[0].embeddings, (Places{{71, 0}}));
        QVERIFY(made.chunks[1].embeddings.empty());
        QCOMPARE(made.chunks[1].tokens[1], 0);
        QCOMPARE(made.chunks[1].tokens[2], 0);
    }
};

QTEST_APPLESS_MAIN(EmbeddingNamesTest)
#include "embedding_names_test.moc"
