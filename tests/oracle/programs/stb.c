// stb, in C and as a shared library: an image is made of noise, resized, written in four formats
// through a callback and read again through others; rectangles are packed, which the C library's
// qsort sorts by calling back; a hash table is filled and emptied.
#include <stb/stb_ds.h>
#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>
#include <stb/stb_image_write.h>
#include <stb/stb_perlin.h>
#include <stb/stb_rect_pack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kSide = 40, kSmallSide = 24, kRectangles = 150, kWords = 300 };

struct Bytes {
  unsigned char data[1 << 16];
  int size;
  int position;
};

static void Append(void* context, void* data, int size) {
  struct Bytes* bytes = context;
  memcpy(bytes->data + bytes->size, data, (size_t)size);
  bytes->size += size;
}

static int Read(void* user, char* data, int size) {
  struct Bytes* bytes = user;
  const int left = bytes->size - bytes->position;
  if (size > left) size = left;
  memcpy(data, bytes->data + bytes->position, (size_t)size);
  bytes->position += size;
  return size;
}

static void Skip(void* user, int count) { ((struct Bytes*)user)->position += count; }

static int AtEnd(void* user) {
  const struct Bytes* bytes = user;
  return bytes->position >= bytes->size;
}

static void MakeImage(unsigned char* pixels) {
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const float noise = stb_perlin_turbulence_noise3(x / 16.0f, y / 16.0f, 0.5f, 2, 0.5f, 3);
      unsigned char* pixel = pixels + 3 * (y * kSide + x);
      pixel[0] = (unsigned char)(noise * 200);
      pixel[1] = (unsigned char)(x * 6);
      pixel[2] = (unsigned char)(y * 6);
    }
  }
}

static void WriteAndRead(const unsigned char* pixels) {
  static struct Bytes bytes;
  for (int format = 0; format < 4; ++format) {
    bytes.size = bytes.position = 0;
    const int stride = 3 * kSmallSide;
    if (format == 0) {
      stbi_write_png_to_func(Append, &bytes, kSmallSide, kSmallSide, 3, pixels, stride);
    } else if (format == 1) {
      stbi_write_bmp_to_func(Append, &bytes, kSmallSide, kSmallSide, 3, pixels);
    } else if (format == 2) {
      stbi_write_tga_to_func(Append, &bytes, kSmallSide, kSmallSide, 3, pixels);
    } else {
      stbi_write_jpg_to_func(Append, &bytes, kSmallSide, kSmallSide, 3, pixels, 90);
    }
    const stbi_io_callbacks callbacks = {Read, Skip, AtEnd};
    int width = 0;
    int height = 0;
    int channels = 0;
    unsigned char* read =
        stbi_load_from_callbacks(&callbacks, &bytes, &width, &height, &channels, 3);
    const size_t size = (size_t)(3 * width * height);
    printf("%d: %d bytes, %d x %d x %d, equal %d\n", format, bytes.size, width, height, channels,
           read != NULL && memcmp(read, pixels, size) == 0);
    stbi_image_free(read);
  }
}

static void Pack(void) {
  static stbrp_node nodes[128];
  static stbrp_rect rectangles[kRectangles];
  stbrp_context context;
  for (int i = 0; i < kRectangles; ++i) {
    rectangles[i].id = i;
    rectangles[i].w = 1 + i * 7 % 13;
    rectangles[i].h = 1 + i * 5 % 11;
  }
  stbrp_init_target(&context, 128, 128, nodes, 128);
  const int all = stbrp_pack_rects(&context, rectangles, kRectangles);
  printf("packed all: %d, the last at %d, %d\n", all, rectangles[kRectangles - 1].x,
         rectangles[kRectangles - 1].y);
}

static void FillTable(void) {
  struct {
    char* key;
    int value;
  }* table = NULL;
  sh_new_strdup(table);
  char word[32];
  for (int i = 0; i < kWords; ++i) {
    snprintf(word, sizeof(word), "word %d", i * 37 % kWords);
    shput(table, word, i);
  }
  for (int i = 0; i < kWords; i += 2) {
    snprintf(word, sizeof(word), "word %d", i);
    (void)shdel(table, word);
  }
  printf("%d words are left, word 7 is %d\n", (int)shlen(table), shget(table, "word 7"));
  shfree(table);
}

int main(void) {
  static unsigned char pixels[3 * kSide * kSide];
  static unsigned char small[3 * kSmallSide * kSmallSide];
  MakeImage(pixels);
  stbir_resize_uint8(pixels, kSide, kSide, 0, small, kSmallSide, kSmallSide, 0, 3);
  WriteAndRead(small);
  Pack();
  FillTable();
  return 0;
}
