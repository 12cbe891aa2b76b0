import qualified Data.ByteString.Char8 as B
import Data.List (sort)
import Data.Array
import Data.Maybe (mapMaybe)

main :: IO ()
main = do
  numbers <- map fst . mapMaybe B.readInt . B.words <$> B.getContents
  let n = head numbers
      w = numbers !! 1
      a = listArray (0, n - 1) (sort (drop 2 numbers))
      count :: Int -> Int -> Int -> Int
      count light heavy trips
        | light > heavy = trips
        | light < heavy && a ! light + a ! heavy <= w = count (light + 1) (heavy - 1) (trips + 1)
        | otherwise = count light (heavy - 1) (trips + 1)
  print (count 0 (n - 1) 0)
