// Services as the desktop uses them: the private listener with its token, and the switch of the public one.
#include "core/server/services.h"

#include "tests/support/http_ask.h"
#include "tests/support/safetensors_writer.h"

#include <QTemporaryDir>
#include <QTest>

using namespace sg;
using sg::test::ask;
using sg::test::portOf;
using sg::test::RawClient;

class ServicesTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void theWindowsListener();
    void onlyTheOwnerChoosesForModels();
    void remoteNeedsAWord();

private:
    ServicesConfig config() const;

    QTemporaryDir m_folder;
};

ServicesConfig ServicesTest::config() const
{
    ServicesConfig made;
    made.dataDir = m_folder.filePath(QStringLiteral("data")).toStdString();
    made.engineProgram = std::filesystem::path(SG_BIN_DIR) / "serigraph-engine";
    made.engineArguments = {"--null"};
    return made;
}

void ServicesTest::theWindowsListener()
{
    const std::filesystem::path models = m_folder.filePath(QStringLiteral("models")).toStdString();
    test::writeCheckpoint(models / "alpha.safetensors");
    Services services(config());
    QVERIFY(services.start().has_value());
    const std::string url = services.privateUrl();
    const std::string token = services.privateToken();
    QVERIFY(url.starts_with("http://127.0.0.1:") && token.size() >= 40 && services.publicUrl().empty());
    QCOMPARE(ask(url, "", "GET /models").status, 401);
    QCOMPARE(ask(url, token, "GET /server").body["listening"].get<bool>(), false);

    const std::string path = Json{{"path", models.string()}}.dump();
    QCOMPARE(ask(url, token, "POST /model-folders", path).status, 200);
    QTRY_COMPARE(ask(url, token, "GET /models").body.size(), std::size_t{1});
    QCOMPARE(ask(url, token, "POST /model-folders", R"({"path":"/no/such/folder"})").status / 100, 4);
    QCOMPARE(ask(url, token, "POST /model-folders", R"({"path":"relative"})").status, 400);

    QCOMPARE(ask(url, token, "PATCH /server", R"({"listening":true})").status, 200);
    const std::string open = services.publicUrl();
    QVERIFY(!open.empty());
    QCOMPARE(ask(open, "", "GET /models").status, 200);
    QCOMPARE(ask(open, token, "PATCH /server", R"({"listening":false})").status, 403);
    QCOMPARE(ask(url, token, "PATCH /server", R"({"address":"0.0.0.0"})").status, 403);
    QVERIFY(!ask(url, token, "GET /server").body["error"].get<std::string>().empty());
    const std::string taken = Json{{"address", "127.0.0.1"}, {"port", portOf(url)}, {"listening", true}}.dump();
    QCOMPARE(ask(url, token, "PATCH /server", taken).status, 409);
    QCOMPARE(ask(url, token, "PATCH /server", R"({"port":70000})").status, 400);
    QCOMPARE(ask(url, token, "PATCH /server", R"({"wobble":1})").status, 400);
    QCOMPARE(ask(url, token, "PATCH /server", R"({"port":0,"listening":true})").status, 200);
    QVERIFY(!services.publicUrl().empty());
    QCOMPARE(ask(url, token, "PATCH /server", R"({"listening":false})").status, 200);
    QVERIFY(services.publicUrl().empty());

    QCOMPARE(ask(url, token, "DELETE /model-folders", path).status, 200);
    QTRY_COMPARE(ask(url, token, "GET /models").body.size(), std::size_t{0});
    services.stop();
    services.stop();
    QVERIFY(!RawClient(portOf(url)).connected());
}

void ServicesTest::onlyTheOwnerChoosesForModels()
{
    const std::filesystem::path models = m_folder.filePath(QStringLiteral("models")).toStdString();
    test::writeCheckpoint(models / "alpha.safetensors");
    test::writeCheckpoint(models / "sub" / "beta.safetensors");
    ServicesConfig owned = config();
    owned.dataDir = m_folder.filePath(QStringLiteral("owned")).toStdString();
    owned.modelFolders = {models.string()};
    const Json choices{{"prediction", "v"}, {"zeroTerminalSnr", true}};
    const auto held = [](const Services &services) {
        Json made = Json::object();
        for (const Json &model : ask(services.privateUrl(), services.privateToken(), "GET /models").body)
            made[model["name"].get<std::string>()] = model["choices"];
        return made;
    };
    const auto body = [](const char *name, const Json &wanted) {
        return Json{{"name", name}, {"choices", wanted}}.dump();
    };
    {
        Services services(owned);
        QVERIFY(services.start().has_value());
        const std::string url = services.privateUrl(), token = services.privateToken();
        const auto change = [&](const std::string &text) { return ask(url, token, "PATCH /models", text); };
        QTRY_VERIFY(held(services) == (Json{{"alpha", Json::object()}, {"sub/beta", Json::object()}}));
        QCOMPARE(ask(url, token, "PATCH /server", R"({"port":0,"listening":true})").status, 200);
        const auto refused = ask(services.publicUrl(), token, "PATCH /models", body("alpha", choices));
        QCOMPARE(refused.status, 403);
        QVERIFY(refused.body["message"].get<std::string>().find("desktop of this machine") != std::string::npos);
        QVERIFY(held(services)["alpha"] == Json::object());
        const auto changed = change(body("alpha", choices));
        QCOMPARE(changed.status, 200);
        QVERIFY(changed.body["name"] == "alpha" && changed.body["choices"] == choices);
        for (const auto &[text, field] : {std::pair(Json{{"name", "alpha"}}.dump(), "choices"),
                                          {Json{{"choices", Json::object()}}.dump(), "name"},
                                          {body("alpha", Json::array()), "choices"},
                                          {body("alpha", {{"prediction", "x"}}), "prediction"},
                                          {body("alpha", {{"a", 1}}), "a"}}) {
            const auto wrong = change(text);
            QVERIFY2(wrong.status == 400 && wrong.body["field"] == field, text.c_str());
        }
        QCOMPARE(change(body("nobody", Json::object())).status, 404);
        services.stop();
    }
    Services services(owned);
    QVERIFY(services.start().has_value());
    QTRY_VERIFY(held(services) == (Json{{"alpha", choices}, {"sub/beta", Json::object()}}));
    const auto detected = ask(services.privateUrl(), services.privateToken(), "PATCH /models",
                              body("alpha", {{"prediction", "automatic"}, {"zeroTerminalSnr", nullptr}}));
    QVERIFY(detected.status == 200 && held(services)["alpha"] == Json::object());
    services.stop();
}

void ServicesTest::remoteNeedsAWord()
{
    ServicesConfig remote = config();
    remote.listenPublic = true;
    remote.address = "0.0.0.0";
    const Expected<void> refused = Services(remote).start();
    QVERIFY(!refused.has_value());
    QCOMPARE(static_cast<int>(refused.error().code), static_cast<int>(ErrorCode::Forbidden));
    remote.allowRemote = true;
    Services allowed(remote);
    QVERIFY(allowed.start().has_value());
    QCOMPARE(ask("http://127.0.0.1:" + std::to_string(portOf(allowed.publicUrl())), "", "GET /healthz").status, 200);
}

QTEST_GUILESS_MAIN(ServicesTest)
#include "services_test.moc"
