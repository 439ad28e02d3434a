/** Painting a query picture as it will be searched: cropped, then turned. */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{image: import("./state.js").Shown | null, crop: import("./state.js").Crop | null, turn: number}} picture
 * @param {number} side CSS pixels that the longer side gets at most
 */
export function drawPicture(canvas, { image, crop, turn }, side) {
  if (!image) return;
  const part = crop ?? { x: 0, y: 0, w: image.width, h: image.height };
  const sideways = turn % 180 !== 0;
  const [wide, high] = sideways ? [part.h, part.w] : [part.w, part.h];
  const scale = side / Math.max(wide, high);
  const density = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = Math.max(1, Math.round(wide * scale * density));
  canvas.height = Math.max(1, Math.round(high * scale * density));
  canvas.style.width = `${wide * scale}px`;
  canvas.style.height = `${high * scale}px`;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.translate(canvas.width / 2, canvas.height / 2);
  pen.rotate((turn * Math.PI) / 180);
  const [w, h] = sideways ? [canvas.height, canvas.width] : [canvas.width, canvas.height];
  const reduced = image.element.naturalWidth / image.width;
  const [x, y, wideOf, highOf] = [part.x, part.y, part.w, part.h].map((v) => v * reduced);
  pen.drawImage(image.element, x, y, wideOf, highOf, -w / 2, -h / 2, w, h);
}

/** A picture that the server sent, PNG in base64, reduced from `width` x `height` pixels. @param {{picture: string, width: number, height: number}} sent @returns {Promise<import("./state.js").Shown>} */
export async function shown({ picture, width, height }) {
  const element = new Image();
  element.src = png(picture);
  await element.decode();
  return { element, width, height, sent: true };
}

/** @param {string} picture base64 */
export const png = (picture) => `data:image/png;base64,${picture}`;
