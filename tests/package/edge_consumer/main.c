/* The C API, from C. */
#include <dermis_edge.h>
#include <string.h>

int main(void) {
  dermis_edge* model = NULL;
  if (dermis_edge_abi() != DERMIS_EDGE_ABI) return 1;
  if (dermis_edge_load("/nonexistent/student.edge", 1, NULL, &model) == 0) return 2;
  return strstr(dermis_edge_error(), "student.edge") == NULL ? 3 : 0;
}
