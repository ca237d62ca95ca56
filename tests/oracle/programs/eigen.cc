// Eigen: a dense decomposition and an inverse, a sparse solver, and expressions that call back into
// the program.
#include <Eigen/Dense>
#include <Eigen/Sparse>
#include <cstdio>
#include <vector>

namespace {

constexpr int kSize = 9;

double Element(int row, int column) { return 1.0 / (1 + row + column) + (row == column ? 2 : 0); }

Eigen::MatrixXd MakeMatrix() {
  Eigen::MatrixXd matrix(kSize, kSize);
  for (int row = 0; row < kSize; ++row) {
    for (int column = 0; column < kSize; ++column) matrix(row, column) = Element(row, column);
  }
  return matrix;
}

void Dense(const Eigen::MatrixXd& matrix) {
  const Eigen::VectorXd right = Eigen::VectorXd::LinSpaced(kSize, 1, 2);
  printf("solution %.6f, determinant %.6f, inverse %.6f\n",
         matrix.partialPivLu().solve(right).norm(), matrix.determinant(), matrix.inverse().norm());
}

void Expressions(const Eigen::MatrixXd& matrix) {
  const double sum = matrix.unaryExpr([](double value) { return value * value + 1; }).sum();
  const Eigen::Matrix3d block = matrix.topLeftCorner<3, 3>() * matrix.bottomRightCorner<3, 3>();
  printf("sum %.6f, trace %.6f\n", sum, (block + block.transpose()).trace());
}

void Sparse() {
  std::vector<Eigen::Triplet<double>> entries;
  for (int i = 0; i < 12; ++i) {
    entries.emplace_back(i, i, 4);
    if (i > 0) entries.emplace_back(i, i - 1, -1);
    if (i > 0) entries.emplace_back(i - 1, i, -1);
  }
  Eigen::SparseMatrix<double> matrix(12, 12);
  matrix.setFromTriplets(entries.begin(), entries.end());
  const Eigen::SimplicialLDLT<Eigen::SparseMatrix<double>> solver(matrix);
  printf("sparse %.6f\n", solver.solve(Eigen::VectorXd::Ones(12)).norm());
}

}  // namespace

int main() {
  const Eigen::MatrixXd matrix = MakeMatrix();
  Dense(matrix);
  Expressions(matrix);
  Sparse();
}
