// tensorboard_sample DIRECTORY: an event file of every kind of value, and that of a resumed run;
// tensorboard_read_test.sh has TensorBoard read them.
#include <cmath>

#include "dermis/io/tensorboard.hpp"

using namespace dermis;

int main(int, char** arguments) {
  {
    TensorBoardWriter board(arguments[1]);
    for (int step = 0; step < 8; ++step) board.scalar("loss/train", step, std::exp(-step));
    Image picture = make_image(5, 3, 10);
    picture.pixel(4, 2)[1] = 250;
    board.image("sample", 2, picture);
    board.text("options", 0, "learning rate *0.1*");
    board.histogram("weights", 3, {-1, 0, 0.5, 2, 2});
    board.scalar("\xC3\xA4 umlaut", 1, -2.5);
  }
  TensorBoardWriter resumed(arguments[1], 5);
  resumed.scalar("loss/train", 5, 10);
  resumed.scalar("loss/train", 6, 11);
}
