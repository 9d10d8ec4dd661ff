// What a user waits for one answer: a fresh process of the program `predict` that loads LibTorch
// and a ViT-S/16 file (86 MB), decodes a photo, computes on one image and prints its line. The
// child is the real program and not this one started again, so that nothing is measured which a
// user would not meet. Files are in the page cache from the second time on.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "dermis/data/phantom.hpp"
#include "dermis/train/classifier.hpp"

namespace {

using namespace dermis;
namespace fs = std::filesystem;

/// Runs `arguments` without its output; its exit code.
int run(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error != 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

void startup_predict(benchmark::State& state) {
  const fs::path predict =
      fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin" / "predict";
  const fs::path folder =
      fs::temp_directory_path() / ("dermis-startup-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  auto options = vit_small();
  options.num_classes = 8;
  save_classifier(folder / "vit.safetensors", {ViT(options), {}, phantom_classes()});
  write_png(folder / "photo.png", Phantom(PhantomOptions{}).render(PhantomPart::Train, 0, 600));
  for (auto _ : state) {
    const int code = run({predict.string(), "--model", (folder / "vit.safetensors").string(),
                          (folder / "photo.png").string()});
    if (code != 0) state.SkipWithError(("failed: " + predict.string()).c_str());
  }
  fs::remove_all(folder);
}
// Its time is the wall clock's: this process only waits.
BENCHMARK(startup_predict)->Unit(benchmark::kMillisecond);

}  // namespace
