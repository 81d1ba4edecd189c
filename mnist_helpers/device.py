"""Where TensorFlow computes, with how many threads, and from which seed."""

from mnist_helpers import without_start_up_remarks
from mnist_helpers.threads import cpu_in_words, thread_count

with without_start_up_remarks():
    import tensorflow as tf

# Keras has read a file of the user's; the book's models are written for its own settings.
tf.keras.config.set_image_data_format("channels_last")
tf.keras.config.set_floatx("float32")
tf.keras.config.set_epsilon(1e-7)


class DeviceError(RuntimeError):
    """The device that was asked for is not to be had."""


def use_device(device: str = "auto") -> str:
    """Let TensorFlow compute on the CPU or on the GPU from here on; return which, in words.

    Call it before anything is computed: TensorFlow cannot change its devices or threads once it
    has begun. "auto" takes a GPU if there is one, "gpu" insists on it. Raises ValueError if
    ``device`` or OMP_NUM_THREADS makes no sense, DeviceError if there is no GPU to insist on, or
    TensorFlow has already begun on another device.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f'device is {device!r}; it may be "auto", "cpu" or "gpu".')
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise DeviceError(
            'device is "gpu", and TensorFlow sees no GPU here. Use "cpu" or "auto", or install '
            "tensorflow[and-cuda] on Linux with an NVIDIA driver."
        )
    threads = thread_count()
    try:
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise DeviceError(
            f"TensorFlow has already begun and cannot change to {device!r}, or to another number "
            f"of threads than it has (to {threads}), now. Restart the kernel and run from the top."
        ) from error
    if gpus and device != "cpu":
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"GPU, {details.get('device_name', 'unnamed')}"
    return cpu_in_words(threads)


def set_seed(seed: int) -> None:
    """Make everything random that follows repeat itself, bit for bit.

    Seeds Python, NumPy and TensorFlow, and asks TensorFlow for operations that give the same bits
    each time: on the same machine with the same number of threads, the same seed then gives the
    same weights. Raises ValueError if the seed is not from 0 to 2**32 - 1.
    """
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
