#include "core/models/model_library.h"

#include "tests/support/safetensors_writer.h"

#include <QCryptographicHash>
#include <QFile>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <map>
#include <sys/stat.h>

using namespace sg;
namespace fs = std::filesystem;

/// The library on real files, as users have them.
class ModelLibraryTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void twoThousandFiles();
    void whatIsNoPlainFile();
    void brokenFilesSayWhy();
    void variantsAreListed();
    void everyContainerIsListed();
    void aFoldersHashIsThatOfItsWeightsSums();
    void aReplacedFileIsReadAgain();
    void aVanishedFileLeavesTheList();
    void hashesInTheBackground();
    void foldersAreRemembered();
    void pathsThatCannotBeAdded();
    void aSingleFile();

private:
    fs::path folder() const { return fs::path(m_dir.path().toStdString()) / QTest::currentTestFunction(); }
    fs::path models() const { return folder() / "models"; }
    fs::path database() const { return folder() / "data" / "serigraph.db"; }

    static Expected<void> add(ModelLibrary &library, const fs::path &path, bool remember = false)
    {
        QObject context;
        std::optional<Expected<void>> answer;
        library.addPath(path.string(), remember, &context, [&](Expected<void> added) { answer = std::move(added); });
        if (!QTest::qWaitFor([&] { return answer && !library.scanning(); }, 60'000))
            return fail(ErrorCode::Internal, "no answer");
        return std::move(*answer);
    }
    static bool rescan(ModelLibrary &library)
    {
        library.rescan();
        return QTest::qWaitFor([&] { return !library.scanning(); }, 60'000);
    }

    QTemporaryDir m_dir;
};

void ModelLibraryTest::twoThousandFiles()
{
    // Both programs' folders, side by side: 400 checkpoints, 1,000 LoRAs, 200 VAEs, 400 embeddings.
    const fs::path a1111 = models() / "webui" / "models", comfy = models() / "ComfyUI" / "models";
    for (int i = 0; i < 200; ++i) {
        const std::string number = std::to_string(i);
        sg::test::writeCheckpoint(a1111 / "Stable-diffusion" / ("model" + number + ".safetensors"));
        sg::test::writeCheckpoint(comfy / "checkpoints" / "sub" / ("model" + number + ".safetensors"));
        for (int k = 0; k < 3; ++k)
            sg::test::writeLora(a1111 / "Lora" / ("style" + number + "_" + std::to_string(k) + ".safetensors"));
        for (int k = 0; k < 2; ++k)
            sg::test::writeLora(comfy / "loras" / ("style" + number + "_" + std::to_string(k) + ".safetensors"));
        sg::test::writeVae(comfy / "vae" / ("vae" + number + ".safetensors"));
        sg::test::writeEmbedding(models() / "webui" / "embeddings" / ("word" + number + ".safetensors"));
        sg::test::writeEmbedding(comfy / "embeddings" / ("word" + number + ".safetensors"));
    }
    std::ofstream(a1111 / "Stable-diffusion" / "model1.txt") << "notes";
    std::ofstream(a1111 / "Stable-diffusion" / "model1.preview.png") << "picture";
    std::vector<ModelRecord> first;
    {
        ModelLibrary library(database());
        QSignalSpy changes(&library, &ModelLibrary::changed);
        QVERIFY(library.scanning());
        QVERIFY(add(library, models() / "webui").has_value());
        QVERIFY(add(library, models() / "ComfyUI").has_value());
        first = library.models();
        QCOMPARE(first.size(), 2000u);
        QCOMPARE(library.lastScan().files, 2000);
        QCOMPARE(library.lastScan().headersRead, 1000);
        std::map<std::string, int> types;
        for (const ModelRecord &record : first)
            ++types[record.type];
        QCOMPARE(types, (std::map<std::string, int>{
                            {"stableDiffusion", 400}, {"lora", 1000}, {"sdVae", 200}, {"embedding", 400}}));
        QCOMPARE(first.front().type, std::string("stableDiffusion"));
        const std::optional<ModelRecord> found = library.find("models/checkpoints/sub/model7", "stableDiffusion");
        QVERIFY(found.has_value());
        QCOMPARE(found->path, (comfy / "checkpoints/sub/model7.safetensors").string());
        QCOMPARE(found->family, std::string("sd1"));
        QCOMPARE(found->nativeWidth, 512);
        QCOMPARE(found->title, std::string("model7"));
        QCOMPARE(library.find("model7.safetensors")->type, std::string("stableDiffusion"));
        QVERIFY(rescan(library));
        QCOMPARE(library.lastScan().headersRead, 0);
        QTRY_VERIFY(changes.count() >= 1);
    }
    // The next start: from the database, without a header read.
    ModelLibrary library(database());
    QVERIFY(add(library, models() / "webui").has_value());
    QVERIFY(add(library, models() / "ComfyUI").has_value());
    QCOMPARE(library.lastScan().files, 2000);
    QCOMPARE(library.lastScan().headersRead, 0);
    const std::vector<ModelRecord> second = library.models();
    QCOMPARE(second.size(), first.size());
    for (std::size_t i = 0; i < first.size(); ++i) {
        QCOMPARE(second[i].path, first[i].path);
        QCOMPARE(second[i].name, first[i].name);
        QCOMPARE(second[i].type, first[i].type);
        QCOMPARE(second[i].reason, first[i].reason);
        QCOMPARE(second[i].registeredMs, first[i].registeredMs);
    }
}

void ModelLibraryTest::whatIsNoPlainFile()
{
    sg::test::writeCheckpoint(models() / "real.safetensors");
    sg::test::writeCheckpoint(folder() / "elsewhere" / "linked.safetensors");
    QVERIFY(::mkfifo((models() / "pipe.safetensors").c_str(), 0600) == 0);
    fs::create_symlink("/dev/zero", models() / "zero.safetensors");
    fs::create_directory_symlink(models(), models() / "loop");
    fs::create_directory_symlink(folder() / "elsewhere", models() / "other");
    fs::create_directory_symlink(models(), folder() / "elsewhere" / "back");
    fs::create_symlink(models() / "nowhere.safetensors", models() / "dangling.safetensors");
    fs::create_symlink(models() / "self.safetensors", models() / "self.safetensors");
    fs::create_directory(models() / "folder.safetensors");
    sg::test::writeCheckpoint(models() / ".hidden" / "x.safetensors");
    fs::copy_file(models() / "real.safetensors", models() / "bad\xff.safetensors");
    ModelLibrary library(database());
    QVERIFY(add(library, models()).has_value());
    std::vector<std::string> names;
    for (const ModelRecord &record : library.models())
        names.push_back(record.name);
    QCOMPARE(names, (std::vector<std::string>{"other/linked", "real"}));
    // A folder inside one that is listed already adds nothing.
    QVERIFY(add(library, folder() / "elsewhere").has_value());
    QCOMPARE(library.models().size(), 2u);
    // QTemporaryDir cannot remove a name that is not UTF-8.
    fs::remove(models() / "bad\xff.safetensors");
}

void ModelLibraryTest::brokenFilesSayWhy()
{
    sg::test::writeCheckpoint(models() / "whole.safetensors");
    const auto size = fs::file_size(models() / "whole.safetensors");
    fs::copy_file(models() / "whole.safetensors", models() / "cut.safetensors");
    fs::resize_file(models() / "cut.safetensors", size - 10);
    std::ofstream(models() / "empty.safetensors");
    std::ofstream(models() / "old.ckpt", std::ios::binary) << std::string("\x80\x02}q\0.", 6) << std::string(100, '\0');
    sg::test::writeSafetensors(models() / "strange.safetensors", {{"some.tensor", {3, 3}}});
    ModelLibrary library(database());
    QVERIFY(add(library, models()).has_value());
    QCOMPARE(library.models().size(), 5u);
    for (const char *name : {"cut", "empty", "old", "strange"}) {
        const std::optional<ModelRecord> record = library.find(name);
        QVERIFY2(record.has_value(), name);
        QCOMPARE(record->status, std::string("unusable"));
        QVERIFY(record->reason.size() > 10);
    }
    QVERIFY(library.find("old")->reason.find("pickle") != std::string::npos);
    QCOMPARE(library.find("whole")->status, std::string("unloaded"));
}

void ModelLibraryTest::variantsAreListed()
{
    const auto write = [this](const char *name, std::int64_t channels, const char *more) {
        sg::test::writeSafetensors(
            models() / name, {{"model.diffusion_model.input_blocks.0.0.weight", {8, channels, 3, 3}},
                              {"cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", {4, 8}},
                              {"first_stage_model.decoder.conv_in.weight", {8, 4, 3, 3}},
                              {more, {1}}});
    };
    write("nine.safetensors", 9, "v_pred");
    write("eight.safetensors", 8, "x");
    write("depth.safetensors", 5, "x");
    write("playground.safetensors", 4, "edm_mean");
    for (int time = 0; time < 2; ++time) {  // read, and then remembered by the database
        ModelLibrary library(database());
        QVERIFY(add(library, models()).has_value());
        QCOMPARE(library.find("nine")->variant, std::string("inpainting, v prediction"));
        QCOMPARE(library.find("eight")->variant, std::string("editing"));
        QCOMPARE(library.find("eight")->status, std::string("unloaded"));
        for (const auto &[name, why] : {std::pair("depth", "depth to image"), {"playground", "Playground 2.5"}}) {
            QCOMPARE(library.find(name)->status, std::string("unusable"));
            QVERIFY(library.find(name)->reason.find(why) != std::string::npos);
        }
    }
}

void ModelLibraryTest::everyContainerIsListed()
{
    const fs::path source = SG_SOURCE_DIR;
    const fs::path formats = source / "tests/unit/diffusion/formats";
    fs::create_directories(models() / "checkpoints");
    fs::copy(formats / "folder", models() / "checkpoints/v1.5", fs::copy_options::recursive);
    fs::copy_file(formats / "zip.ckpt", models() / "checkpoints/new.ckpt");
    fs::copy_file(formats / "legacy.ckpt", models() / "checkpoints/old.pt");
    fs::copy_file(source / "tests/unit/modelfile/files/embedding.pt", models() / "cat.pt");
    // An embedding in a picture; its preview, and a picture that carries none, are no models.
    fs::copy_file(source / "tests/unit/modelfile/files/embedding.png", models() / "dog.PNG");
    fs::copy_file(source / "tests/unit/modelfile/files/embedding.png", models() / "dog.preview.png");
    // Hidden in pixels it is looked for only where embeddings lie; ordinary pictures there are no models.
    fs::create_directories(models() / "Embeddings");
    for (const char *name : {"fox", "owl.preview"})
        fs::copy_file(source / "tests/unit/modelfile/files/hidden.png",
                      models() / "Embeddings" / (name + std::string(".png")));
    fs::copy_file(source / "tests/unit/modelfile/files/hidden.png", models() / "elsewhere.png");
    fs::copy_file(source / "tests/unit/modelfile/files/hidden_cut.png", models() / "Embeddings/torn.png");
    std::ofstream(models() / "Embeddings/photo.png") << "no PNG";
    fs::copy_file(source / "tests/unit/picture/files/texts.png", models() / "cow.png");
    ModelLibrary library(database());
    QVERIFY(add(library, models()).has_value());
    QCOMPARE(library.models().size(), 7u);
    for (const char *name : {"checkpoints/v1.5", "checkpoints/new", "checkpoints/old"}) {
        const std::optional<ModelRecord> record = library.find(name, "stableDiffusion");
        QVERIFY2(record.has_value(), name);
        QVERIFY2(record->status == "unloaded" && record->family == "sd1", record->reason.c_str());
        QVERIFY(record->size > 100'000);
    }
    QCOMPARE(library.find("cat", "embedding")->family, std::string("sd1"));
    const std::optional<ModelRecord> dog = library.find("dog", "embedding");
    QVERIFY(dog && dog->family == "sd1" && dog->vectors == 2 && dog->vectorWidth == 768 && dog->status == "unloaded");
    const std::optional<ModelRecord> fox = library.find("Embeddings/fox", "embedding");
    QVERIFY(fox && fox->vectors == 2 && fox->vectorWidth == 768 && fox->status == "unloaded");
    const std::optional<ModelRecord> torn = library.find("Embeddings/torn", "embedding");
    QVERIFY(torn && torn->status == "unusable" && torn->reason.find("cut off") != std::string::npos);
    QVERIFY(!library.find("cow") && !library.find("dog.preview"));
    QVERIFY(rescan(library));
    QCOMPARE(library.lastScan().headersRead, 0);
    std::ofstream(models() / "checkpoints/v1.5/unet/config.json") << "{}";
    QVERIFY(rescan(library));
    QCOMPARE(library.lastScan().headersRead, 1);
}

void ModelLibraryTest::aFoldersHashIsThatOfItsWeightsSums()
{
    const fs::path folder = models() / "v1.5";
    fs::create_directories(models());
    fs::copy(fs::path(SG_SOURCE_DIR) / "tests/unit/diffusion/formats/folder", folder, fs::copy_options::recursive);
    std::vector<std::string> names;
    for (const auto &entry : fs::recursive_directory_iterator(folder))
        if (entry.path().extension() == ".safetensors" || entry.path().extension() == ".bin")
            names.push_back(entry.path().lexically_relative(folder).string());
    std::sort(names.begin(), names.end());
    QVERIFY(names.size() >= 3);
    const auto sumOf = [](const QByteArray &bytes) {
        return QCryptographicHash::hash(bytes, QCryptographicHash::Sha256).toHex();
    };
    const auto expected = [&] {
        QByteArray lines;
        for (const std::string &name : names) {
            QFile file(QString::fromStdString((folder / name).string()));
            if (file.open(QIODevice::ReadOnly))
                lines += sumOf(file.readAll()) + "  " + QByteArray::fromStdString(name) + "\n";
        }
        return sumOf(lines).toStdString();
    };
    std::string first;
    {
        ModelLibrary library(database());
        QVERIFY(add(library, models()).has_value());
        QTRY_COMPARE(library.find("v1.5")->sha256, expected());
        first = expected();
        // What is no weight changes nothing, though it is hashed again.
        std::ofstream(folder / "unet/notes.txt") << "no weight";
        QVERIFY(rescan(library));
        QTRY_COMPARE(library.find("v1.5")->sha256, first);
        QVERIFY(library.find(first.substr(0, 10)));
        // A byte of a weight does.
        std::fstream file(folder / names.front(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-1, std::ios::end).put('x');
        file.close();
        QVERIFY(rescan(library));
        QTRY_COMPARE(library.find("v1.5")->sha256, expected());
        QVERIFY(expected() != first);
    }
    ModelLibrary again(database());
    QVERIFY(add(again, models()).has_value());
    QCOMPARE(again.lastScan().headersRead, 0);
    QCOMPARE(again.find("v1.5")->sha256, expected());
}

void ModelLibraryTest::aReplacedFileIsReadAgain()
{
    sg::test::writeCheckpoint(models() / "x.safetensors");
    ModelLibrary library(database());
    QVERIFY(add(library, models()).has_value());
    QTRY_VERIFY(!library.find("x")->sha256.empty());
    const ModelRecord before = *library.find("x");
    library.setLoaded(before.path, true);
    QTRY_COMPARE(library.find("x")->status, std::string("loaded"));
    sg::test::writeLora(models() / "new.safetensors");
    fs::rename(models() / "new.safetensors", models() / "x.safetensors");
    QVERIFY(rescan(library));
    QCOMPARE(library.lastScan().headersRead, 1);
    QCOMPARE(library.find("x")->type, std::string("lora"));
    QCOMPARE(library.find("x")->registeredMs, before.registeredMs);
    QTRY_VERIFY(!library.find("x")->sha256.empty());
    QVERIFY(library.find("x")->sha256 != before.sha256);
}

void ModelLibraryTest::aVanishedFileLeavesTheList()
{
    sg::test::writeCheckpoint(models() / "a.safetensors");
    sg::test::writeCheckpoint(models() / "b.safetensors");
    ModelLibrary library(database());
    QVERIFY(add(library, models()).has_value());
    const std::string held = library.find("b")->path;
    library.setLoaded(held, true);
    QTRY_COMPARE(library.find("b")->status, std::string("loaded"));
    fs::remove_all(models());
    QVERIFY(rescan(library));
    QVERIFY(!library.find("a").has_value());
    QCOMPARE(library.find("b")->status, std::string("deleted"));
    library.setLoaded(held, false);
    QTRY_VERIFY(!library.find("b").has_value());
}

void ModelLibraryTest::hashesInTheBackground()
{
    for (int i = 0; i < 20; ++i)
        sg::test::writeCheckpoint(models() / ("m" + std::to_string(i) + ".safetensors"), 8 + i);
    ModelLibrary library(database());
    QVERIFY(add(library, models()).has_value());
    library.hashSoon(library.find("m9")->path);
    const auto allHashed = [&] {
        for (const ModelRecord &record : library.models())
            if (record.sha256.empty()) return false;
        return true;
    };
    QTRY_VERIFY_WITH_TIMEOUT(allHashed(), 30'000);
    QFile file(QString::fromStdString((models() / "m9.safetensors").string()));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray expected = QCryptographicHash::hash(file.readAll(), QCryptographicHash::Sha256).toHex();
    const ModelRecord record = *library.find("m9");
    QCOMPARE(QByteArray::fromStdString(record.sha256), expected);
    QCOMPARE(record.shortHash().size(), 10u);
    QCOMPARE(library.find("m9.safetensors [" + record.shortHash() + "]")->path, record.path);
    QCOMPARE(library.find(record.sha256)->path, record.path);
}

void ModelLibraryTest::foldersAreRemembered()
{
    sg::test::writeCheckpoint(models() / "a.safetensors");
    sg::test::writeCheckpoint(folder() / "more" / "b.safetensors");
    {
        ModelLibrary library(database());
        QVERIFY(add(library, models(), true).has_value());
        QVERIFY(add(library, folder() / "more", false).has_value());
        QCOMPARE(library.folders().size(), 2u);
    }
    ModelLibrary library(database());
    QTRY_VERIFY(!library.scanning());
    QCOMPARE(library.folders(), (std::vector<std::string>{models().string()}));
    QVERIFY(library.find("a").has_value() && !library.find("b").has_value());
    QObject context;
    std::optional<Expected<void>> answer;
    library.removeFolder(models().string(), &context, [&](Expected<void> removed) { answer = std::move(removed); });
    QTRY_VERIFY(answer && answer->has_value() && !library.scanning());
    QVERIFY(library.models().empty());
    answer.reset();
    library.removeFolder(models().string(), &context, [&](Expected<void> removed) { answer = std::move(removed); });
    QTRY_VERIFY(answer && !answer->has_value());
    QCOMPARE(answer->error().code, ErrorCode::NotFound);
}

void ModelLibraryTest::pathsThatCannotBeAdded()
{
    ModelLibrary library(database());
    QCOMPARE(add(library, folder() / "nowhere").error().code, ErrorCode::NotFound);
    QCOMPARE(add(library, "/dev/null").error().code, ErrorCode::InvalidArgument);
    QCOMPARE(add(library, "relative/path", true).error().code, ErrorCode::InvalidArgument);
    QVERIFY(library.folders().empty());
}

void ModelLibraryTest::aSingleFile()
{
    sg::test::writeCheckpoint(models() / "one.safetensors");
    sg::test::writeCheckpoint(models() / "two.safetensors");
    ModelLibrary library(database());
    QVERIFY(add(library, models() / "one.safetensors").has_value());
    QCOMPARE(library.models().size(), 1u);
    QCOMPARE(library.models().front().name, std::string("one"));
}

QTEST_GUILESS_MAIN(ModelLibraryTest)
#include "model_library_test.moc"
