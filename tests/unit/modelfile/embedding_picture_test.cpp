#include "core/modelfile/embedding_picture.h"

#include "core/base/base64.h"
#include "core/modelfile/hidden_embedding.h"
#include "core/modelfile/model_kind.h"
#include "tests/support/check.h"

#include <string>

using namespace sg;

namespace {

std::string chunk(const std::string &type, const std::string &data)
{
    std::string made;
    for (int shift = 24; shift >= 0; shift -= 8)
        made += static_cast<char>(data.size() >> shift & 0xff);
    return made + type + data + "sum ";
}

const std::string kStart = std::string("\x89PNG\r\n\x1a\n") + chunk("IHDR", std::string(13, '\0'));

/// A picture with this text under the embedding's keyword.
std::string picture(const std::string &text)
{
    return kStart + chunk("tEXt", std::string("sd-ti-embedding") + '\0' + text) + chunk("IDAT", "pixels") +
           chunk("IEND", "");
}

std::string withJson(const std::string &json)
{
    return picture(encodeBase64(json));
}

Expected<std::vector<CarriedVectors>> read(const std::string &bytes)
{
    return readEmbeddingPicture(MemorySource(bytes));
}

bool refused(const std::string &bytes, const std::string &word)
{
    const auto made = read(bytes);
    return !made && made.error().code == ErrorCode::UnusableFile &&
           made.error().message.find(word) != std::string::npos;
}

SG_CASE(aPictureOfPillow)
{
    const std::filesystem::path path =
        std::filesystem::path(SG_SOURCE_DIR) / "tests/unit/modelfile/files/embedding.png";
    CHECK(carriesEmbedding(path));
    const auto made = readEmbeddingPicture(path);
    CHECK(made && made->size() == 1);
    const CarriedVectors &one = made->front();
    CHECK(one.count == 2 && one.width == 768 && one.values.size() == 1536);
    for (std::size_t i = 0; i < one.values.size(); ++i)
        CHECK(one.values[i] == static_cast<float>(i % 32) / 8 - 2);
    const ModelDescription what = describeModel(embeddingIndex(path.string(), *made));
    CHECK(what.kind == ModelKind::Embedding && what.family == BaseFamily::Sd1);
    const auto gone = readEmbeddingPicture(std::filesystem::path("/nowhere.png"));
    CHECK(!gone && gone.error().code == ErrorCode::NotFound);
}

SG_CASE(oneVectorAndTwoEncoders)
{
    const auto one = read(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[1,2.5,-3]}}})"));
    CHECK(one && one->front().count == 1 && one->front().values == std::vector<float>({1, 2.5f, -3}));
    const auto two = read(withJson(R"({"clip_g":{"TORCHTENSOR":[[1,2]]},"clip_l":{"TORCHTENSOR":[[3]]}})"));
    CHECK(two && two->size() == 2 && (*two)[0].key == "clip_l" && (*two)[1].width == 2);
}

SG_CASE(otherPicturesCarryNothing)
{
    const auto carries = [](const std::string &bytes) { return carriesEmbedding(MemorySource(bytes)); };
    CHECK(carries(picture("")) == false);
    CHECK(carries(picture("x")));
    CHECK(!carries(""));
    CHECK(!carries("\x89PNG"));
    CHECK(!carries(kStart));
    CHECK(!carries(kStart + chunk("tEXt", std::string("parameters") + '\0' + "x") + chunk("IDAT", "")));
    // Behind the pixels it is not looked for, nor behind very many chunks.
    const std::string text = chunk("tEXt", std::string("sd-ti-embedding") + '\0' + "x");
    CHECK(!carries(kStart + chunk("IDAT", "pixels") + text));
    std::string many = kStart;
    for (int i = 0; i < 64; ++i)
        many += chunk("tEXt", "a");
    CHECK(!carries(many + text));
    // A length that leads out of the file, at each place.
    CHECK(!carries(kStart + "\xff\xff\xff\xfftEXtsd-ti-embedding"));
    const std::string whole = picture("abcd");
    for (std::size_t length = 0; length < whole.size(); ++length)
        (void)read(whole.substr(0, length));
}

SG_CASE(badTextsAreRefused)
{
    CHECK(refused(picture("not base64!"), "base64"));
    CHECK(refused(withJson("{"), "its embedding"));
    CHECK(refused(withJson("[]"), "no JSON object"));
    CHECK(refused(withJson("{}"), "neither string_to_param nor clip_l"));
    CHECK(refused(withJson(R"({"string_to_param":{}})"), "neither"));
    CHECK(refused(withJson(R"({"string_to_param":{"*":[[1]]}})"), "is no tensor"));
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[]}}})"), "1 to 1000 vectors"));
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[[1,2],[3]]}}})"), "of one length"));
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[[]]}}})"), "of one length"));
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[["1"]]}}})"), "no number"));
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[[1e300]]}}})"), "no number"));
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[[NaN]]}}})"), "its embedding"));
    CHECK(refused(withJson(R"({"clip_l":{"TORCHTENSOR":[[1]]},"clip_g":{"TORCHTENSOR":[[1],[2]]}})"), "different"));
    std::string rows = "[[0]";
    for (int i = 0; i < 1000; ++i)
        rows += ",[0]";
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":)" + rows + "]}}}"), "1 to 1000 vectors"));
    std::string wide = "0";
    for (int i = 0; i < 8192; ++i)
        wide += ",0";
    CHECK(refused(withJson(R"({"string_to_param":{"*":{"TORCHTENSOR":[)" + wide + "]}}}"), "of one length"));
    CHECK(refused(withJson(std::string(20, '[')), "its embedding"));
    CHECK(refused(picture(std::string(kMaxEmbeddingText + 1, 'A')), "longer than 16 MiB"));
}

const std::filesystem::path kFiles = std::filesystem::path(SG_SOURCE_DIR) / "tests/unit/modelfile/files";

std::string bytesOf(const std::string &name)
{
    const Expected<FileSource> file = FileSource::open(kFiles / name);
    return file ? file->text(0, file->size()).value_or("") : "";
}

SG_CASE(hiddenInPixels)
{
    CHECK(!carriesEmbedding(kFiles / "hidden.png"));
    const auto told = readEmbeddingPicture(kFiles / "embedding.png"),
               hidden = readEmbeddingPicture(kFiles / "hidden.png");
    CHECK(told && hidden && hidden->size() == 1 && hidden->front().key == "string_to_param.*");
    CHECK(hidden->front().count == 2 && hidden->front().values == told->front().values);
    CHECK(mayHideEmbedding("/models/Embeddings/sd1/a.PNG") && mayHideEmbedding("embeddings/a.png"));
    CHECK(!mayHideEmbedding("/models/embeddings/a.pt") && !mayHideEmbedding("/models/a.png"));
    CHECK(!mayHideEmbedding("/models/embeddings.png") && !mayHideEmbedding("/models/my embeddings/a.png"));
}

SG_CASE(badPixelsAreRefused)
{
    for (const auto &[name, word] : {std::pair("hidden_bomb.png", "longer than 16 MiB"),
                                     {"hidden_cut.png", "cut off"},
                                     {"hidden_damaged.png", "damaged"},
                                     {"hidden_no_json.png", "its embedding"},
                                     {"hidden_wide.png", "its pixels"},
                                     {"hidden_many.png", "more than 64 million pixels"}})
        CHECK(refused(bytesOf(name), word));
    CHECK(refused(bytesOf("hidden.png").substr(0, 300), "cut off"));
    CHECK(refused(std::string("\x89PNG\r\n\x1a\n") + std::string(kMaxEmbeddingPicture, 'x'), "larger than 64 MiB"));
    // An ordinary picture, and what is none.
    const std::string plain = bytesOf("embedding.png");
    const auto nothing = readHiddenEmbedding(MemorySource(plain));
    CHECK(!nothing && nothing.error().code == ErrorCode::NotFound);
    const auto none = read("no PNG at all");
    CHECK(!none && none.error().code == ErrorCode::NotFound);
    // Each byte changed, each length: refused or read, never worse.
    const std::string whole = bytesOf("hidden_no_json.png");
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string other = whole;
        other[i] = static_cast<char>(other[i] ^ 0x15);
        CHECK(!read(other));
        CHECK(!read(whole.substr(0, i)));
    }
}

}  // namespace

SG_TEST_MAIN
